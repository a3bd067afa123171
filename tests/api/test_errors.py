"""Every failure is told the same way, and never by a stack trace."""

import errno
import io
import math
import os
import sqlite3

import pytest
from fastapi import Body, FastAPI
from PIL import Image
from sqlalchemy import event

from app.failures import BadQuery, Busy, Conflict, Forbidden, NotFound, TooLarge, WrongType
from app.settings import Settings
from app.store import engine
from app.store.workspace import DATABASE
from app.web.responses import Json, finite
from models import atomic
from tests.conftest import Client, Clients

BROWSER = {"accept": "text/html,application/xhtml+xml"}
FAILURES = [
    (NotFound("unknown_gallery", "There is no gallery x."), 404),
    (Conflict("gallery_exists", "Taken."), 409),
    (Forbidden("outside_roots", "Not under TESSERA_ROOTS."), 403),
    (BadQuery("bad_box", "Four numbers."), 422),
    (TooLarge("too_many_pixels", "40 megapixels at most."), 413),
    (WrongType("unsupported_format", "Convert it."), 415),
    (Busy("starting", "Not yet.", retry_after=7), 503),
]


def picture() -> bytes:
    """A small picture as a file."""
    file = io.BytesIO()
    Image.effect_noise((64, 64), 60).convert("RGB").save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def broken(client: Client) -> Client:
    """An application with routes that fail."""
    app: FastAPI = client.app

    @app.get("/api/test/{number}")
    def fail(number: int) -> None:
        raise FAILURES[number][0]

    @app.get("/test-bug")
    @app.get("/api/test-bug")
    def bug() -> None:
        raise RuntimeError("/secret/path is broken")

    @app.post("/api/test-echo")
    def echo(value: dict[str, float] = Body()) -> dict[str, object]:
        return {"value": value, "more": [math.nan, -math.inf, 1.5]}

    return client


@pytest.mark.parametrize("number", range(len(FAILURES)))
def test_a_failure_becomes_its_status_code_and_message(broken: Client, number: int) -> None:
    failure, status = FAILURES[number]
    answer = broken.get(f"/api/test/{number}")
    assert answer.status_code == status
    assert answer.json() == {"error": {"code": failure.code, "message": failure.message, "detail": None}}


def test_busy_says_when_to_come_again(broken: Client) -> None:
    assert broken.get(f"/api/test/{len(FAILURES) - 1}").headers["retry-after"] == "7"


def test_a_bug_tells_an_incident_and_nothing_else(broken: Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = broken.get("/api/test-bug")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (500, "internal_error")
    assert "secret" not in answer.text and "Traceback" not in answer.text
    assert error["detail"]["incident"] in caplog.text and "secret" in caplog.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_browser_gets_a_page_for_the_same_bug(broken: Client) -> None:
    answer = broken.get("/test-bug", headers=BROWSER)
    assert answer.status_code == 500 and "<h1>Internal Server Error" in answer.text and "secret" not in answer.text


def test_nothing_there_is_a_page_for_a_browser_and_json_for_a_program(client: Client) -> None:
    page = client.get("/nowhere", headers=BROWSER)
    assert page.status_code == 404 and "There is nothing at this address." in page.text
    assert client.get("/api/nowhere", headers=BROWSER).json()["error"]["code"] == "not_found"
    assert client.get("/nowhere").json()["error"]["code"] == "not_found"


def test_what_was_asked_for_is_escaped_on_the_error_page(client: Client) -> None:
    answer = client.get("/galleries/<script>alert(1)</script>", headers=BROWSER)
    assert answer.status_code == 404 and "<script>alert" not in answer.text


def test_the_wrong_method_names_the_right_one(client: Client) -> None:
    answer = client.request("DELETE", "/api/jobs")
    assert answer.status_code == 405 and "GET" in answer.headers["allow"]
    assert answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("body", [b"{", b"", b"{'a': 1}", b"[" * 100_000, b"\xff\xfe", b'"\\ud800"'])
def test_what_is_not_json_is_a_bad_request(client: Client, body: bytes) -> None:
    answer = client.post("/api/jobs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422) and answer.json()["error"]["code"]
    assert answer.status_code == 400 or not body.startswith(b"{")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_never_breaks_an_answer(broken: Client, value: str) -> None:
    body = b'{"a": %s}' % value.encode()
    answer = broken.post("/api/test-echo", content=body, headers={"content-type": "application/json"})
    assert answer.json()["more"] == [None, None, 1.5] and answer.json()["value"] == {"a": None}


@pytest.mark.parametrize("number", ["9" * 26, "-1", "0", "abc", "1%00", "9223372036854775808"])
def test_a_number_that_cannot_be_an_id_is_not_found_or_invalid(client: Client, number: str) -> None:
    for path in (f"/api/jobs/{number}", f"/api/galleries/any/images/{number}"):
        assert client.get(path).status_code in (404, 422)


@pytest.mark.parametrize("limit", ["0", "501", "-5", "1e3", "ten", "null", "9" * 30])
def test_an_impossible_limit_names_the_field(client: Client, limit: str) -> None:
    answer = client.get(f"/api/jobs?limit={limit}")
    assert answer.status_code == 422 and "`limit`" in answer.json()["error"]["message"]


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_the_base_path_is_in_every_link(settings: Settings, client_for: Clients, accept: str) -> None:
    client = client_for(settings.model_copy(update={"base_path": "/lab"}))
    for path in ("/lab/", "/"):  # from a proxy that keeps the prefix, and from one that strips it
        answer = client.get(path, headers={"accept": accept})
        assert answer.status_code == 200
        assert 'href="/lab/galleries"' in answer.text and 'href="/galleries"' not in answer.text
    assert client.get("/lab/api").json()["links"]["page"] == "/lab/"
    assert client.get("/lab/static/tessera.css").status_code == 200


def test_json_has_no_word_for_what_is_not_finite() -> None:
    assert Json({"a": float("nan")}).body == b'{"a":null}'
    assert finite((1.0, [math.inf])) == [1.0, [None]]
    assert Json({"name": "\udcff"}).body == b'{"name":"?"}'


def test_a_database_that_is_locked_or_full_is_no_defect(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "READ_TIMEOUT", 20)
    store = client.app.state.services.store
    with sqlite3.connect(store.workspace / DATABASE, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        locked = client.get("/api/galleries")
        other.execute("ROLLBACK")
    assert (locked.status_code, locked.json()["error"]["code"]) == (503, "database_busy")
    assert int(locked.headers["retry-after"]) > 0
    assert client.get("/api/galleries").status_code == 200

    @event.listens_for(store.engine, "connect")
    def limit(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    store.engine.dispose()
    answers = [client.post("/api/galleries", json={"name": f"g{n}", "source": {"kind": "sample"}}) for n in range(40)]
    assert answers[-1].status_code == 507
    assert answers[-1].json()["error"]["code"] == "disk_full" and "Make room" in answers[-1].json()["error"]["message"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_wherever_it_shows(client: Client, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic, "write_bytes", full)
    sent = client.post("/photo", files={"file": ("x.png", picture(), "image/png")}, headers=BROWSER)
    assert sent.status_code == 507 and "disk of the workspace is full" in sent.text
