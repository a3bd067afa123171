"""The REST contract as a program meets it: keys and types of every answer, links, cursors, codes of refusals."""

import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from app.jobs import table
from app.settings import Settings
from tests.api.asking import imported, new, picture, write_pets
from tests.api.shapes import (
    CARD,
    COUNTED,
    FOUND,
    GALLERY,
    HISTOGRAM,
    IMAGE,
    ITEMS,
    JOB,
    KIND,
    SCAN,
    STATISTICS,
    UNIT,
    box,
    fits,
    natural,
    number,
    or_null,
    values,
)
from tests.conftest import Client, Clients
from tests.making import CHANNELS, TINY, Workspace, photo


def png() -> bytes:
    sink = io.BytesIO()
    photo(77, 200, 160).save(sink, "PNG")
    return sink.getvalue()


# ---- shapes


@pytest.mark.parametrize("kind", ITEMS)
def test_a_list_is_its_items_and_a_cursor_newest_first(web: httpx.Client, kind: str) -> None:
    answer = web.get(f"/api/{kind}")
    assert answer.headers["content-type"] == "application/json"
    fits(answer.json(), {kind: [ITEMS[kind]], "next": or_null(str)})
    assert answer.json()[kind]
    moments = [item["created_at"] for item in answer.json()[kind]]
    assert moments == sorted(moments, reverse=True)


def test_a_gallery_and_its_images(web: httpx.Client, workspace: Workspace) -> None:
    fits(web.get(f"/api/galleries/{workspace.gallery}").json(), GALLERY)
    answer = web.get(f"/api/galleries/{workspace.gallery}/images", params={"limit": 500}).json()
    fits(answer, {"images": [IMAGE], "next": or_null(str)})
    for image in answer["images"][::13]:
        fits(web.get(image["links"]["self"]).json(), IMAGE)
        with Image.open(workspace.photos / image["path"]) as source:
            assert (image["width"], image["height"]) == source.size
        kinds = [web.get(image["links"][name]).headers["content-type"] for name in ("image", "thumbnail")]
        assert kinds == ["image/jpeg", "image/webp"]


def test_a_job_that_is_done_tells_what_it_made(web: httpx.Client) -> None:
    made = {
        "import": "gallery",
        "train": "checkpoint",
        "scan": "scan",
        "evaluate": "evaluation",
        "cluster": "clustering",
        "probe": "probe",
    }
    for job in web.get("/api/jobs", params={"state": "done"}).json()["jobs"]:
        shown = web.get(job["links"]["self"]).json()
        fits(shown, JOB)
        assert (shown["state"], shown["progress"], shown["error"]) == ("done", 1.0, None)
        assert web.get(shown["links"][made[shown["kind"]]]).status_code == 200
        series = web.get(shown["links"]["metrics"]).json()
        fits(series, {"series": [{"name": str, "points": [[number]]}]})
        assert {len(point) for line in series["series"] for point in line["points"]} <= {2}
        assert web.get(shown["links"]["log"]).headers["content-type"].startswith("text/plain")
        for verb in ("cancel", "resume"):
            assert web.post(shown["links"][verb]).status_code == 409


def test_a_running_job_tells_how_far_it_is(client: Client, tmp_path: Path) -> None:
    client.post("/api/galleries", json=new("pets", write_pets(tmp_path / "pets")))
    store = client.app.state.services.store
    with store.write() as session:
        job = table.claim(session, "light", "cpu")
        assert job is not None
        told = {"step": 3, "total": 12, "unit": "images", "rate": 1.5, "eta_seconds": 6.0, "metrics": {"loss": 2.5}}
        table.save_progress(session, job.id, told, 0)
    for shown in (client.get("/api/jobs/1").json(), client.get("/api/jobs").json()["jobs"][0]):
        fits(shown, JOB)
        assert (shown["state"], shown["progress"], shown["step"], shown["total"]) == ("running", 0.25, 3, 12)
        assert (shown["unit"], shown["eta_seconds"], shown["metrics"]) == ("images", 6.0, {"loss": 2.5})
        assert shown["attempt"] == 1
    newest = client.get("/api").json()["jobs"]["newest"][0]
    assert (newest["id"], newest["progress"]) == ("1", 0.25)


def test_a_checkpoint_its_filters_and_its_scan(web: httpx.Client, workspace: Workspace) -> None:
    card = web.get(f"/api/checkpoints/{workspace.checkpoint}").json()
    fits(card, CARD)
    fields = [layer["receptive_field"] for layer in card["layers"] if layer["kind"] == "conv"]
    assert fields == sorted(fields) and all(fields)
    filters = web.get(card["links"]["filters"]).json()
    fits(filters, {"layer": str, "shape": [natural], "weights": [[[[number]]]], "measures": values([number])})
    fits(web.get(f"/api/scans/{workspace.scan}").json(), {**SCAN, "layers": [{"name": str, "kind": KIND}]})


@pytest.mark.parametrize("layer", ["conv1", "conv5", "fc6", "fc7", "counts"])
def test_units_of_every_kind_of_layer(web: httpx.Client, workspace: Workspace, layer: str) -> None:
    where = f"/api/scans/{workspace.scan}/units/{layer}"
    fits(web.get(where, params={"limit": 5}).json(), {"layer": str, "units": [UNIT], "next": or_null(str)})
    unit = web.get(f"{where}/0").json()
    fits(unit, {**UNIT, "layer": str, "statistics": {**STATISTICS, "histogram": HISTOGRAM}})
    assert {image["y"] is None for image in unit["top"]} <= {not layer.startswith("conv")}


# ---- asking about an image


@pytest.mark.usefixtures("predictor")
def test_counting_by_file_and_by_row(web: httpx.Client, workspace: Workspace) -> None:
    where = f"/api/checkpoints/{workspace.checkpoint}/count"
    by_file = web.post(where, params={"kernel": "cubic"}, files={"file": ("a.png", png())}, data={"box": "8,8,80,80"})
    by_row = web.post(where, json={"gallery": workspace.gallery, "row": 3, "box": [-20, -20, 70.5, 70.5]})
    for answer, kernel in ((by_file, "cubic"), (by_row, "area")):
        assert answer.status_code == 200
        fits(answer.json(), COUNTED)
        assert answer.json()["kernel"] == kernel
        sizes = [len(answer.json()[name]) for name in ("whole", "sum", "tiles")]
        assert sizes == [8, 8, 4] and {len(tile) for tile in answer.json()["tiles"]} == {8}
        assert len(answer.json()["residual"]["per_unit"]) == 8
    assert by_row.json()["crop"] == [0, 0, 70, 70]  # clipped to the image, whole pixels


@pytest.mark.usefixtures("predictor")
def test_searching_by_row_vector_file_and_region(web: httpx.Client, workspace: Workspace) -> None:
    where, how = f"/api/scans/{workspace.scan}/search", {"layer": "conv5", "k": 7, "metric": "cosine", "seen": "all"}
    file = {"file": ("a.png", png())}
    answers = [
        web.get(where, params={"row": 4, **how}),
        web.post(where, params=how, json={"row": 4}),
        web.post(where, params=how, json={"row": 4, "box": [5, 5, 100, 100]}),
        web.post(where, params=how, json={"vector": [0.25] * CHANNELS[4]}),
        web.post(where, params=how, files=file),
        web.post(where, params=how, files=file, data={"box": "[10, 10, 90, 90]"}),
    ]
    for answer in answers:
        assert answer.status_code == 200
        fits(answer.json(), FOUND)
        assert (answer.json()["layer"], answer.json()["metric"]) == ("conv5", "cosine")
        distances = [hit["distance"] for hit in answer.json()["neighbors"]]
        assert distances == sorted(distances)
        assert len({hit["row"] for hit in answer.json()["neighbors"]}) == 7
    assert all(4 not in [hit["row"] for hit in answer.json()["neighbors"]] for answer in answers[:3])


@pytest.mark.usefixtures("predictor")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"json": {}},
        {"json": {"row": 1, "vector": [0.0] * 8}},
        {"files": {"box": (None, "0,0,9,9")}},
        {"files": {"file": ("a.png", b"x")}, "data": {"row": "1"}},
        {"files": [("file", ("a.png", b"x")), ("file", ("b.png", b"x"))]},
    ],
    ids=str,
)
def test_no_source_or_two_are_422(web: httpx.Client, workspace: Workspace, options: dict[str, Any]) -> None:
    for path_of in (f"/api/scans/{workspace.scan}/search", f"/api/checkpoints/{workspace.checkpoint}/count"):
        answer = web.post(path_of, **options)
        assert answer.status_code == 422 and answer.json()["error"]["message"]


@pytest.mark.usefixtures("predictor")
def test_a_heat_map_is_a_table_of_numbers_and_a_picture(web: httpx.Client, workspace: Workspace) -> None:
    where = f"/api/scans/{workspace.scan}/units/conv4/11/heatmap"
    fits(web.get(where, params={"row": 2}).json(), {"values": [[number]], "box": box, "row": natural})
    assert web.get(f"{where}.png", params={"row": 2}).headers["content-type"] == "image/png"


def test_embeddings_of_every_layer_are_numpy_files(web: httpx.Client, workspace: Workspace) -> None:
    layers = web.get(f"/api/checkpoints/{workspace.checkpoint}").json()["layers"]
    for layer in layers:
        where = f"/api/scans/{workspace.scan}/embeddings/{layer['name']}.npy"
        answer = web.get(where)
        everything = np.load(io.BytesIO(answer.content), allow_pickle=False)
        assert everything.shape == (workspace.rows, layer["units"]) and np.isfinite(everything).all()
        assert int(answer.headers.get("content-length", len(answer.content))) == len(answer.content)
        row = np.load(io.BytesIO(web.get(where, params={"row": workspace.rows - 1}).content), allow_pickle=False)
        assert np.array_equal(row, everything[-1])


# ---- links and cursors


def test_every_link_leads_somewhere_and_no_answer_names_a_place_of_the_server(
    workspace: Workspace, client_for: Clients
) -> None:
    """Over a second application on the same workspace, below a base path and without a predictor."""
    client = client_for(Settings(workspace=workspace.path, base_path="/lab"))
    todo, seen = ["/lab/api"], set[str]()
    while todo:
        address = todo.pop()
        if template(address) in seen:
            continue
        seen.add(template(address))
        answer = client.get(address, headers={"accept": "text/html, application/json"})
        assert answer.status_code == expected(address), address
        assert answer.status_code != 503 or int(answer.headers["retry-after"]) > 0
        kind = answer.headers["content-type"].partition(";")[0]
        assert (kind == "text/html") == (not address.startswith("/lab/api")), address
        if kind == "application/json":
            todo += links_of(answer.json())
        if kind == "application/json" or kind.startswith("text/"):
            assert str(workspace.path.parent) not in answer.text and str(workspace.photos) not in answer.text
    assert len(seen) > 30 and all(address.startswith("/lab/") for address in seen)


def expected(address: str) -> int:
    """Addresses that take POST, need a query, or the network."""
    if address.endswith(("/cancel", "/resume")):
        return 405
    if "/api/" in address and address.endswith(("/search", "/count")):
        return 422
    if address.endswith(("/export?format=pth", "/export?format=onnx", "/export?format=rescaled")):
        return 409  # no job has written it yet
    network = ("/heatmap?", "/count?", "/api/tasks/counting?")
    return 503 if any(part in address for part in network) else 200


def links_of(value: Any) -> list[str]:
    """The first of many and the last: all that `links` objects hold, however deep."""
    if isinstance(value, list):
        return [link for item in (value if len(value) < 3 else (value[0], value[-1])) for link in links_of(item)]
    if not isinstance(value, dict):
        return []
    found = list(value.get("links", {}).values())
    return found + [link for key, item in value.items() if key != "links" for link in links_of(item)]


def template(link: str) -> str:
    """The link without its numbers, which many rows and units share."""
    return "/".join("#" if part.isdecimal() else part for part in link.partition("?")[0].split("/"))


def test_a_cursor_leads_through_every_list_once(web: httpx.Client, workspace: Workspace) -> None:
    scan, gallery = f"/api/scans/{workspace.scan}", f"/api/galleries/{workspace.gallery}"
    lists = {"/api/jobs": ("jobs", 1), f"{scan}/units/conv1": ("units", 17), f"{gallery}/images": ("images", 7)}
    for address, (name, limit) in lists.items():
        everything = web.get(address, params={"limit": 500}).json()
        found, cursor = [], None
        while True:
            params = {"limit": limit, **({} if cursor is None else {"cursor": cursor})}
            answer = web.get(address, params=params).json()
            assert len(answer[name]) <= limit
            found += answer[name]
            cursor = answer["next"]
            if cursor is None:
                break
        assert found == everything[name] and everything["next"] is None


def test_links_and_pages_are_also_answered_to_head(web: httpx.Client, workspace: Workspace) -> None:
    for address in ("/", "/api", f"/api/galleries/{workspace.gallery}/images/0/image", "/static/tessera.css"):
        head, got = web.head(address), web.get(address)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
    assert web.head("/api/jobs/0").status_code == 404 and web.head("/api/jobs/1/cancel").status_code == 405
    with_stream = web.head("/api/jobs/1/events")
    assert with_stream.headers["content-type"].startswith("text/event-stream")


# ---- submitting the same again


def test_a_training_submitted_again_is_the_same_job_and_defaults_count_as_given(
    web: httpx.Client, workspace: Workspace
) -> None:
    bare = {"gallery": workspace.gallery, "config": TINY}
    for spec in (bare, {**bare, "task": "counting", "recipe": "small", "seed": 0}):
        answer = web.post("/api/jobs", json={"kind": "train", "spec": spec})
        assert (answer.status_code, answer.json()["links"]["checkpoint"]) == (
            200,
            f"/api/checkpoints/{workspace.checkpoint}",
        )
        fits(answer.json(), JOB)


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({}, 422),
        ({"gallery": "nothing"}, 404),
        ({"gallery": "photos", "task": "sorting"}, 422),
        ({"gallery": "photos", "recipe": "huge"}, 422),
        ({"gallery": "photos", "seed": -1}, 422),
        ({"gallery": "photos", "seed": 10**26}, 422),
        ({"gallery": "photos", "config": {"steps": 0}}, 422),
        ({"gallery": "photos", "config": {"steps": "many"}}, 422),
        ({"gallery": "photos", "config": {"colour": 1}}, 422),
        ({"gallery": "photos", "config": []}, 422),
        ({"gallery": "photos", "colour": 1}, 422),
    ],
    ids=str,
)
def test_a_training_that_cannot_be_is_refused(web: httpx.Client, spec: dict[str, Any], status: int) -> None:
    answer = web.post("/api/jobs", json={"kind": "train", "spec": spec})
    assert answer.status_code == status and answer.json()["error"]["message"]


def test_the_answer_to_a_submission_is_the_gallery_and_its_job(client: Client, tmp_path: Path) -> None:
    body = new("My pets", write_pets(tmp_path / "pets"))
    first, again = client.post("/api/galleries", json=body), client.post("/api/galleries", json=body)
    other = client.post("/api/galleries", json={"name": "My pets", "source": {"kind": "sample"}})
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    for answer in (first, again):
        fits(answer.json(), {"gallery": GALLERY, "job": JOB})
    fits(other.json(), {"error": {"code": str, "message": str}})


def test_adding_the_same_files_again_is_the_same_pair(client: Client) -> None:
    slug_of = imported(client, {"name": "mine", "source": {"kind": "upload"}})
    files = [("files", ("a.png", picture(1)))]
    for status in (202, 200):
        answer = client.post(f"/api/galleries/{slug_of}/images", files=files)
        assert answer.status_code == status
        fits(answer.json(), {"gallery": GALLERY, "job": JOB})
