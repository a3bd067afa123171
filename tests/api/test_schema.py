"""The interface against its own document, and against inputs that nobody sends on purpose."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from app.inspector.client import Inspector
from app.services.assembly import build_services
from app.serving import bind
from app.settings import Settings
from tests.conftest import Server, application, live
from tests.making import CHANNELS, Workspace

pytestmark = pytest.mark.jobs
METHODS = ("get", "post", "put", "patch", "delete")
# What no refusal may hold: a place of this machine, or a piece of a stack trace.
GIVEN_AWAY = re.compile(r"Traceback|File \\?\"|\.py\b|site-packages|(?<![\w.])/(?:tmp|root|home|Users|private|var)/")


def openapi() -> dict[str, Any]:
    """What `/openapi.json` says; read here because tests are made of it before any server runs."""
    with tempfile.TemporaryDirectory() as folder:
        app = application(Settings(workspace=Path(folder)))
        app.state.services.store.close()
        return app.openapi()


DOCUMENT = openapi()
PATHS: dict[str, dict[str, Any]] = DOCUMENT["paths"]
OPERATIONS = [(method, path) for path, found in PATHS.items() for method in METHODS if method in found]
READS = [path for method, path in OPERATIONS if method == "get" and not path.endswith("/events")]
JSON_BODIES = [path for method, path in OPERATIONS if method == "post" and "requestBody" in PATHS[path]["post"]]

# An event stream does not end while its job runs; tests/api/test_jobs.py reads it.
api = schemathesis.openapi.from_dict(DOCUMENT).exclude(path_regex="/events$")
# That a cursor, a path or a box is well formed is more than the document can say.
MORE_THAN_A_SCHEMA = [CHECKS.get_one("positive_data_acceptance")]


@pytest.fixture(scope="module")
def scratch(
    server: Server,
    predictor: None,  # noqa: ARG001
    inspector: Inspector,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A second server, over a copy of the used workspace: what is made here, other tests do not see."""
    folder = tmp_path_factory.mktemp("scratch") / "workspace"
    shutil.copytree(server.workspace.path, folder)
    listener = bind("127.0.0.1", 0)
    settings = Settings(workspace=folder, roots=(server.workspace.photos.parent,), port=listener.getsockname()[1])
    app = application(settings)
    app.state.services.store.close()
    app.state.services = build_services(settings, predictor=server.app.state.predictor, inspector=inspector)
    with live(app, listener) as url:
        yield Server(url, app, server.workspace)


@pytest.fixture(scope="module")
def asked(scratch: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=scratch.url, timeout=60) as client:
        yield client


def names(workspace: Workspace) -> dict[str, str]:
    """A value for every parameter that names something there is."""
    slugs = {"gallery": workspace.gallery, "checkpoint": workspace.checkpoint, "scan": workspace.scan}
    slugs |= {"clustering": workspace.clustering, "cluster": "0", "chain": "1", "inspection": "0" * 64}
    slugs |= {"task": "counting"}
    return {**slugs, "job": "1", "layer": "conv2", "row": "0", "unit": "0", "upload": "0" * 64, "view": "whole"}


def checked(answer: httpx.Response) -> int:
    """The status of an answer that is neither a bug nor tells where the server lives."""
    assert answer.status_code < 500, f"{answer.request.method} {answer.request.url}: {answer.text[:300]}"
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert set(answer.json()) == {"error"} and set(error) == {"code", "message", "detail"}
        assert re.fullmatch(r"[a-z][a-z0-9_]+", error["code"]) and error["message"]
        assert not GIVEN_AWAY.search(answer.text), answer.text[:300]
    return answer.status_code


# ---- the document


@api.parametrize()
@settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_operation_answers_as_the_document_says(case: schemathesis.Case, scratch: Server) -> None:
    """Boundary values and random ones, valid and not, on names that exist: no 5xx, no status or type left out."""
    known = names(scratch.workspace)
    for given in (case.path_parameters, case.query):
        for name in ("gallery", "checkpoint", "scan", "clustering", "job", "layer"):
            if name in (given or {}):
                given[name] = known[name]
    answer = case.call(base_url=scratch.url)
    case.validate_response(answer, excluded_checks=MORE_THAN_A_SCHEMA)
    if answer.status_code >= 400:
        assert not GIVEN_AWAY.search(answer.text), answer.text[:300]


def test_the_document_is_served_and_tells_what_a_refusal_looks_like(scratch: Server, asked: httpx.Client) -> None:
    assert asked.get("/openapi.json").json() == scratch.app.openapi() == DOCUMENT
    for method, path in OPERATIONS:
        refusal = PATHS[path][method]["responses"]["4XX"]["content"]["application/json"]["schema"]
        assert refusal == {"$ref": "#/components/schemas/ErrorAnswer"}, path
        assert PATHS[path][method]["description"], path


# ---- names and numbers in addresses

NO_NUMBERS = ("-1", "abc", "1e3", "1.5", "null", "NaN", "0x1", "9" * 27, "9223372036854775808", "%c2%b2", "%d9%a3")
NO_NAMES = (
    *("-1", "1%00", "%00", "%0a", "..%2f", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f", "%2f", "%5c", "%ff", "%ed%a0%80"),
    *("%f0%9f%90%88", "%20", "%27%20or%201=1--", "%3cscript%3e", "{x}", "%25s", "x" * 3000),
)


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda value: value)
def test_an_odd_name_is_unknown_or_invalid(asked: httpx.Client, workspace: Workspace, method: str, path: str) -> None:
    known = names(workspace)
    query = {"row": 0} if path.endswith(("/search", "/heatmap", "/heatmap.png")) else None
    for name in re.findall(r"{(\w+)}", path):
        for odd in (*NO_NAMES, *(NO_NUMBERS if name in ("row", "unit", "job", "cluster", "chain") else ())):
            answer = asked.request(method, path.format(**{**known, name: odd}), params=query)
            if answer.status_code == 307:  # without the slash at its end, on this very server
                assert re.match(r"/(?!/)", answer.headers["location"])
            else:
                assert 400 <= checked(answer) < 500, (name, odd)


# ---- queries

ODD_VALUES = (
    *("", "-1", "0", "-5", "501", "1000000000", "9" * 27, "1e3", "1e999", "NaN", "-inf", "null", "true", "[]", "{}"),
    *("abc", "\0", "../", "..\\", "/etc/passwd", "\ud7ff\U0001f408", "'; drop table jobs; --", "0,0,0,0", "1,1,nan,2"),
    *("0,0,1e308,1e308", "x" * 3000),
)
BAD_LIMITS = ("0", "-5", "501", "1000000000", "1e3", "1.5", "null", "", "ten", "9" * 27, "٣")
BAD_KS = ("0", "-5", "1001", "1000000000", "1e3", "2.5", "null", "", "9" * 27)


def queries(path: str) -> list[str]:
    return [given["name"] for given in PATHS[path]["get"].get("parameters", []) if given["in"] == "query"]


# The curve takes what the count takes, and ten times as long.
@pytest.mark.parametrize("path", [path for path in READS if queries(path) and not path.endswith("/curve")])
def test_an_odd_value_in_a_query_never_breaks_an_answer(asked: httpx.Client, workspace: Workspace, path: str) -> None:
    known = names(workspace)
    given = {name: known[name] for name in ("row", "gallery") if name in queries(path)}
    for name in queries(path):
        for odd in ODD_VALUES:
            checked(asked.get(path.format(**known), params={**given, name: odd}))


@pytest.mark.parametrize(("name", "bad"), [("limit", BAD_LIMITS), ("k", BAD_KS)])
def test_every_limit_and_every_k_has_its_bounds(
    asked: httpx.Client, workspace: Workspace, name: str, bad: tuple[str, ...]
) -> None:
    bounded = [path for path in READS if name in queries(path)]
    assert len(bounded) == {"limit": 11, "k": 1}[name]
    for path in bounded:
        for value in bad:
            answer = asked.get(path.format(**names(workspace)), params={name: value, "row": 0})
            assert checked(answer) == 422 and f"`{name}`" in answer.json()["error"]["message"], (path, value)
        for good in ("1", "500"):
            assert checked(asked.get(path.format(**names(workspace)), params={name: good, "row": 0})) == 200


@pytest.mark.parametrize("path", [path for path in READS if "sort" in queries(path) or "metric" in queries(path)])
def test_an_unknown_order_or_metric_is_422(asked: httpx.Client, workspace: Workspace, path: str) -> None:
    for name in {"sort", "metric"} & set(queries(path)):
        for value in ("beauty", "", "UNIT", "unit ", "unit,max", "0"):
            assert checked(asked.get(path.format(**names(workspace)), params={name: value, "row": 0})) == 422, value


def test_a_cursor_of_another_list_or_from_nowhere_is_422_or_an_end(asked: httpx.Client, workspace: Workspace) -> None:
    for path in (path for path in READS if "cursor" in queries(path)):
        for cursor in ("x", "-1", "1.5", "1e3", "٣", "9" * 27, "\0", "", "x" * 65):
            assert checked(asked.get(path.format(**names(workspace)), params={"cursor": cursor})) == 422, (path, cursor)


# ---- bodies

AS_JSON = {"content-type": "application/json"}
NOT_JSON = (b"{", b"{'a': 1}", b"[1,]", b"nul", b"\xff\xfe\x00", b'{"a": \x80}', b"[" * 100_000, b'{"a":' * 50_000)
NO_OBJECT = (b"null", b"[]", b"3", b'"text"', b"true", b"[{}]", b"1e999", b"NaN")
ODD_FIELDS = (
    *(b'{"unknown": 1}', b'{"": 0}', b'{"row": 0, "gallery": "photos", "x": 1}', b'{"__proto__": {}, "row": 0}'),
    *(b'{"row": -1}', b'{"row": 1e999}', b'{"row": NaN}', b'{"row": ' + b"9" * 5000 + b"}", b'{"row": "0"}'),
    *(b'{"row": 0.5}', b'{"row": true}', b'{"row": null}', b'{"row": []}', b'{"gallery": "\\u0000", "row": 0}'),
    *(b'{"gallery": "\\ud800", "row": 0}', b'{"name": "\\ud800", "source": {"kind": "sample"}}'),
    *(b'{"kind": "\\ud800", "spec": {}}', b'{"kind": "train", "spec": {"gallery": "\\ud800"}}'),
    *(b'{"kind": "train", "spec": {"gallery": "photos", "seed": 1e999}}', b'{"kind": [], "spec": {}}'),
    *(b'{"kind": "train", "spec": {"gallery": "photos", "seed": ' + b"9" * 30 + b"}}", b'{"source": {"kind": []}}'),
    *(b'{"kind": "scan", "spec": {"checkpoint": {}, "gallery": []}}', b'{"source": {"kind": "folder", "path": "~"}}'),
    *(b'{"kind": "train", "spec": {"gallery": "photos", "config": {"steps": ' + b"9" * 30 + b"}}}", b"{}"),
    *(b'{"kind": "train", "spec": {"gallery": "photos", "config": {"lr": NaN}}}', b'{"source": null}'),
    *(b'{"vector": [NaN]}', b'{"vector": [Infinity]}', b'{"vector": [1e999]}', b'{"vector": [1, 2]}'),
    *(b'{"vector": ["a"]}', b'{"vector": [[1]]}', b'{"vector": {}}', b'{"vector": []}', b'{"vector": "1,2"}'),
    *(b'{"row": 0, "vector": [1]}', b'{"row": 0, "box": [0, 0, NaN, 1]}', b'{"row": 0, "box": [0, 0, 1e999, 1]}'),
    *(b'{"row": 0, "box": "0,0,1,1"}', b'{"row": 0, "box": [3, 3, 1, 1]}', b'{"row": 0, "box": [0, 0, 1]}'),
)


@pytest.mark.parametrize("path", JSON_BODIES)
def test_a_body_that_is_no_json_or_no_object_or_of_another_type(
    asked: httpx.Client, workspace: Workspace, path: str
) -> None:
    address = path.format(**names(workspace))
    for body in NOT_JSON:
        assert checked(asked.post(address, content=body, headers=AS_JSON)) == 400, body[:20]
    for body in NO_OBJECT:
        assert checked(asked.post(address, content=body, headers=AS_JSON)) in (400, 422), body
    for kind in ("text/plain", "application/xml", "text/html; charset=utf-8", "nonsense", "a/b/c", ""):
        assert checked(asked.post(address, content=b'{"row": 0}', headers={"content-type": kind})) == 415, kind
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=q"):
        status = checked(asked.post(address, content=b"--q\r\nx", headers={"content-type": kind}))
        assert status in (400, 415, 422), kind
    assert checked(asked.post(address)) in (400, 415, 422)


@pytest.mark.parametrize("path", JSON_BODIES)
def test_fields_that_make_no_sense_are_refused(asked: httpx.Client, workspace: Workspace, path: str) -> None:
    address = path.format(**names(workspace))
    for body in ODD_FIELDS:
        assert checked(asked.post(address, content=body, headers=AS_JSON)) in (400, 403, 404, 422), body[:80]


def test_a_vector_has_the_length_of_its_layer(asked: httpx.Client, workspace: Workspace) -> None:
    for layer, units in (("conv1", CHANNELS[0]), ("conv5", CHANNELS[4]), ("counts", 8)):
        for length in (1, units - 1, units + 1):
            answer = asked.post(
                f"/api/scans/{workspace.scan}/search", params={"layer": layer}, json={"vector": [0.5] * length}
            )
            assert checked(answer) == 422 and f"expected {units} numbers" in answer.json()["error"]["message"]


# ---- methods


@pytest.mark.parametrize("path", list(PATHS))
def test_another_method_is_405_and_allow_names_those_there_are(
    asked: httpx.Client, workspace: Workspace, path: str
) -> None:
    address, there = path.format(**names(workspace)), {method.upper() for method in METHODS if method in PATHS[path]}
    there |= {"HEAD"} if "GET" in there else set()
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} - there:
        answer = asked.request(method, address)
        assert checked(answer) == 405
        assert set(answer.headers["allow"].split(", ")) == there, (method, path)
