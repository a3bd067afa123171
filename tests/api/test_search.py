"""Search by REST: rows, uploads, regions and vectors, and what is refused."""

import io
import threading
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from app.predictor.client import Predictor
from app.services.search.indexes import Indexes
from app.services.search.service import SearchOptions, SearchService
from tests.conftest import Server
from tests.making import CHANNELS, Workspace, photo


@pytest.fixture
def where(workspace: Workspace) -> str:
    return f"/api/scans/{workspace.scan}/search"


def embeddings(server: Server, layer: str) -> Any:
    return server.services.scans.open(server.workspace.scan).reader.embeddings(layer)


def _search(server: Server, predictor: Any, *, indexes: Indexes | None = None) -> SearchService:
    return SearchService(predictor, server.services.search_aids, indexes=indexes)


def as_png(image: Image.Image) -> bytes:
    sink = io.BytesIO()
    image.save(sink, "PNG")
    return sink.getvalue()


def test_neighbours_of_a_row_by_increasing_distance_without_itself(
    web: httpx.Client, server: Server, where: str
) -> None:
    answer = web.get(where, params={"row": 3, "layer": "conv5", "k": 5, "seen": "all"}).json()
    vectors = embeddings(server, "conv5")
    expected = np.linalg.norm(vectors - vectors[3], axis=1)
    order = [row for row in np.argsort(expected, kind="stable").tolist() if row != 3][:5]
    assert answer["layer"] == "conv5" and answer["metric"] == "l2"
    assert [hit["row"] for hit in answer["neighbors"]] == order
    assert [hit["distance"] for hit in answer["neighbors"]] == pytest.approx(expected[order].tolist(), rel=1e-4)


def test_cosine_distance_is_one_minus_the_cosine(web: httpx.Client, server: Server, where: str) -> None:
    answer = web.get(where, params={"row": 0, "layer": "conv3", "metric": "cosine", "k": 3}).json()
    vectors = embeddings(server, "conv3").astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for hit in answer["neighbors"]:
        assert hit["distance"] == pytest.approx(1 - unit[0] @ unit[hit["row"]], abs=1e-5)


def test_the_default_is_twenty_neighbours_by_the_best_measured_layer(web: httpx.Client, where: str) -> None:
    measured = web.get(where.replace("search", "retrieval")).json()
    assert measured["state"] == "measured" and not measured["unseen_only"]
    values = {space: scores["label"]["value"] for space, scores in measured["spaces"].items()}
    layers = [space for space in values if space not in ("pixels", "colours")]
    assert values[measured["best"]] == max(values[layer] for layer in layers)
    answer = web.get(where, params={"row": 0, "seen": "all"}).json()
    assert answer["layer"] == measured["best"] and len(answer["neighbors"]) == 20


def test_what_is_measured_is_precision_at_five_and_how_much_more_than_that_of_raw_pixels(
    web: httpx.Client, server: Server, where: str
) -> None:
    measured = web.get(where.replace("search", "retrieval")).json()
    vectors = embeddings(server, "conv5").astype(np.float64)
    labels = server.services.galleries.pack(server.workspace.gallery).label_codes()
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    right = (labels[np.argsort(distances, axis=1, kind="stable")[:, :5]] == labels[:, None]).mean(axis=1)
    score = measured["spaces"]["conv5"]["label"]
    assert measured["queries"] == len(labels) and measured["chance"]["label"] == pytest.approx(9 / 39)
    assert score["value"] == pytest.approx(right.mean())
    pixels = measured["spaces"]["pixels"]["label"]["value"]
    assert score["over_pixels"]["value"] == pytest.approx(right.mean() - pixels)
    _low, high = score["over_pixels"]["interval"]
    assert ("conv5" in measured["worse_than_pixels"]) == (high < 0)


def test_more_than_there_is_gives_all_but_the_query(web: httpx.Client, workspace: Workspace, where: str) -> None:
    asked = {"row": 1, "k": 1000, "seen": "all", "copies": 1}
    rows = [hit["row"] for hit in web.get(where, params=asked).json()["neighbors"]]
    assert sorted(rows) == [row for row in range(workspace.rows) if row != 1]


def test_only_rows_that_were_not_seen_in_training_are_found_unless_all_are_asked_for(
    web: httpx.Client, server: Server, where: str
) -> None:
    workspace = server.workspace
    scan = server.services.scans.open(workspace.scan)
    seen = server.services.seen.find(scan.checkpoint, scan.pack)
    assert 0 < seen.count < workspace.rows
    provenance = web.get(f"/api/checkpoints/{workspace.checkpoint}").json()["provenance"]
    assert seen.count == provenance["images_trained"]
    some = web.get(where, params={"row": 1, "k": 1000, "copies": 1}).json()
    assert some["unseen_only"] and not any(hit["seen"] for hit in some["neighbors"])
    assert sorted(hit["row"] for hit in some["neighbors"]) == [
        row for row in range(workspace.rows) if row not in seen and row != 1
    ]
    every = web.get(where, params={"row": 1, "k": 1000, "copies": 1, "seen": "all"}).json()
    assert not every["unseen_only"]
    assert {hit["row"] for hit in every["neighbors"] if hit["seen"]} == {
        row for row in range(workspace.rows) if row in seen and row != 1
    }


def test_a_percentile_is_the_share_of_random_pairs_that_are_closer(
    web: httpx.Client, server: Server, where: str
) -> None:
    hits = web.get(where, params={"row": 3, "layer": "conv5", "seen": "all"}).json()["neighbors"]
    vectors = embeddings(server, "conv5")
    distances = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    pairs = distances[~np.eye(len(vectors), dtype=bool)]
    for hit in hits:
        assert hit["percentile"] == pytest.approx(100 * (pairs < hit["distance"]).mean(), abs=2)


def test_raw_pixels_and_colours_are_spaces_of_their_own_and_can_stand_beside(web: httpx.Client, where: str) -> None:
    alone = web.get(where, params={"row": 3, "layer": "pixels", "k": 4, "metric": "cosine"}).json()
    assert alone["layer"] == "pixels" and alone["metric"] == "l2"
    beside = web.get(where, params={"row": 3, "k": 4, "beside": "colours,pixels,random-init,nonsense"}).json()["beside"]
    assert list(beside) == ["pixels", "colours", "random-init"]
    assert beside["pixels"]["found"]["neighbors"] == alone["neighbors"]
    assert beside["random-init"]["state"] == "unscanned" and beside["random-init"]["found"] is None


def test_an_image_is_found_by_its_pixels_without_any_network(
    web: httpx.Client, workspace: Workspace, where: str
) -> None:
    source = next(workspace.photos.rglob("*.jpg")).read_bytes()
    answer = web.post(where, params={"layer": "pixels", "seen": "all"}, files={"file": ("x.jpg", source)}).json()
    assert answer["neighbors"][0]["distance"] == pytest.approx(0, abs=1e-3)
    assert answer["neighbors"][0]["percentile"] == 0


def test_every_link_of_a_hit_answers(web: httpx.Client, where: str) -> None:
    answer = web.get(where, params={"row": 0, "layer": "conv5"}).json()
    assert "row=0" in answer["links"]["page"] and "layer=conv5" in answer["links"]["page"]
    for name, link in [*answer["links"].items(), *answer["neighbors"][0]["links"].items()]:
        assert web.get(link).status_code == 200, name


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 422),
        ({"row": 0, "upload": "0" * 64}, 422),
        ({"row": 0, "k": 0}, 422),
        ({"row": 0, "k": 1001}, 422),
        ({"row": 0, "k": "many"}, 422),
        ({"row": 0, "metric": "manhattan"}, 422),
        ({"row": 0, "layer": "conv9"}, 422),
        ({"row": 0, "box": "1,2,3"}, 422),
        ({"row": 0, "box": "5,5,2,2"}, 422),
        ({"row": -1}, 422),
        ({"row": "abc"}, 422),
        ({"row": 10**26}, 422),
        ({"row": 4000}, 404),
        ({"upload": "0" * 64}, 404),
        ({"upload": "../../etc/passwd"}, 422),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(
    web: httpx.Client, where: str, params: dict[str, Any], status: int
) -> None:
    answer = web.get(where, params=params)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "detail"}


def test_an_unknown_layer_names_those_there_are(web: httpx.Client, where: str) -> None:
    assert "conv1, conv2" in web.get(where, params={"row": 0, "layer": "x"}).json()["error"]["message"]


def test_an_unknown_scan_is_not_found(web: httpx.Client) -> None:
    assert web.get("/api/scans/nothing/search?row=0").status_code == 404
    assert web.post("/api/scans/nothing/search", json={"row": 0}).status_code == 404


def test_a_vector_finds_the_row_it_is_of(web: httpx.Client, server: Server, where: str) -> None:
    vector = embeddings(server, "conv4")[7].tolist()
    answer = web.post(where, params={"layer": "conv4", "k": 1, "seen": "all"}, json={"vector": vector}).json()
    assert answer["neighbors"][0]["row"] == 7
    assert answer["neighbors"][0]["distance"] == pytest.approx(0, abs=1e-5)


def test_a_wrong_vector_says_what_was_expected(web: httpx.Client, where: str) -> None:
    answer = web.post(where, params={"layer": "conv5"}, json={"vector": [1, 2, 3]})
    assert answer.status_code == 422 and f"expected {CHANNELS[4]} numbers, got 3" in answer.json()["error"]["message"]
    huge = web.post(where, params={"layer": "conv5"}, json={"vector": [1e300] * CHANNELS[4]})
    assert huge.status_code == 422
    for body in ('{"vector": [NaN]}', '{"vector": [1e999]}', '{"vector": []}', '{"vector": "ab"}'):
        refused = web.post(where, content=body, headers={"Content-Type": "application/json"})
        assert refused.status_code == 422, body


@pytest.mark.parametrize("body", [{}, {"row": 0, "vector": [1]}, {"row": 0, "colour": 1}, {"box": [0, 0, 9, 9]}, [1]])
def test_a_body_names_exactly_one_query(web: httpx.Client, where: str, body: Any) -> None:
    assert web.post(where, json=body).status_code == 422


def test_a_zero_vector_under_cosine_ties_with_all_and_says_so(web: httpx.Client, where: str) -> None:
    asked = {"layer": "conv5", "metric": "cosine", "k": 3, "seen": "all"}
    answer = web.post(where, params=asked, json={"vector": [0.0] * CHANNELS[4]}).json()
    assert answer["warnings"] == ["zero_vector"]
    assert [(hit["row"], hit["distance"]) for hit in answer["neighbors"]] == [(0, 1), (1, 1), (2, 1)]


def test_a_row_in_the_body_is_a_row_in_the_query(web: httpx.Client, where: str) -> None:
    asked = {"layer": "conv2", "k": 4}
    posted = web.post(where, params=asked, json={"row": 5}).json()
    assert posted["neighbors"] == web.get(where, params={"row": 5, **asked}).json()["neighbors"]


@pytest.mark.usefixtures("predictor")
@pytest.mark.parametrize("layer", ["conv1", "conv5", "fc7", "counts"])
def test_a_gallery_image_uploaded_again_finds_itself_first(
    web: httpx.Client, workspace: Workspace, where: str, layer: str
) -> None:
    gallery = web.get(f"/api/galleries/{workspace.gallery}/images").json()["images"][11]
    source = (workspace.photos / gallery["path"]).read_bytes()
    answer = web.post(where, params={"layer": layer, "k": 3, "seen": "all"}, files={"file": ("x.jpg", source)}).json()
    best = answer["neighbors"][0]
    scale = answer["neighbors"][2]["distance"]
    assert best["distance"] <= 1e-3 * max(scale, 1e-6)
    assert best["row"] == gallery["row"] or answer["neighbors"][1]["distance"] == best["distance"]


@pytest.mark.usefixtures("predictor")
def test_a_region_is_embedded_again_and_the_row_is_left_out(web: httpx.Client, where: str) -> None:
    asked = {"layer": "conv5", "k": 5}
    whole = web.post(where, params=asked, json={"row": 2}).json()
    region = web.post(where, params=asked, json={"row": 2, "box": [10, 10, 90, 80]}).json()
    assert region["crop"] == [15, 10, 85, 80]
    assert 2 not in [hit["row"] for hit in region["neighbors"]]
    assert region["neighbors"] != whole["neighbors"]
    linked = web.get(where, params={"row": 2, "box": "10,10,90,80", **asked}).json()
    assert linked["neighbors"] == region["neighbors"]
    off = web.post(where, params=asked, json={"row": 2, "box": [900, 900, 950, 950]})
    assert off.status_code == 422


@pytest.mark.usefixtures("predictor")
def test_an_upload_with_a_box_is_the_box_of_the_stored_image(web: httpx.Client, where: str) -> None:
    file = {"file": ("photo.png", as_png(photo(99, 300, 280)))}
    answer = web.post(where, params={"layer": "conv5"}, files=file, data={"box": "0,0,100,100"}).json()
    assert answer["crop"] == [0, 0, 100, 100]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"", 422, "empty_file"), (b"<svg/>", 415, "unsupported_format"), (b"\xff\xd8\xff\xe0cut", 422, None)],
)
def test_what_is_not_an_image_is_refused(
    web: httpx.Client, where: str, content: bytes, status: int, code: str | None
) -> None:
    answer = web.post(where, files={"file": ("cat.jpg", content, "image/jpeg")})
    assert answer.status_code in (status, 415)
    assert code is None or answer.json()["error"]["code"] == code


def test_two_files_or_other_content_are_refused(web: httpx.Client, where: str) -> None:
    files = [("file", ("a.png", b"a")), ("file", ("b.png", b"b"))]
    assert web.post(where, files=files).status_code == 422
    assert web.post(where, content=b"row=1", headers={"Content-Type": "text/plain"}).status_code == 415
    assert web.post(where, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400


def test_without_a_predictor_rows_are_found_and_images_have_to_wait(server: Server) -> None:
    services = server.services
    idle = _search(server, Predictor(services.settings))
    scan = services.scans.open(server.workspace.scan)
    assert len(idle.by_row(scan, 0, SearchOptions(k=2)).rows) == 2
    with pytest.raises(Exception, match="being loaded"):
        idle.by_row(scan, 0, SearchOptions(), box=(0, 0, 50, 50))


def test_threads_that_ask_at_once_build_one_index(server: Server) -> None:
    indexes = Indexes()
    search, scan = _search(server, None, indexes=indexes), server.services.scans.open(server.workspace.scan)
    found: list[tuple[int, ...]] = []
    threads = [
        threading.Thread(target=lambda: found.append(search.by_row(scan, 1, SearchOptions("conv5", 5)).rows))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1
    assert len(indexes._known) == 1


def test_the_least_used_index_leaves_when_memory_runs_out(server: Server) -> None:
    reader = server.services.scans.open(server.workspace.scan).reader
    indexes = Indexes(memory=2 * Indexes().get("s", reader, "conv2", "l2").size)
    for layer in ("conv2", "conv5", "conv2"):
        indexes.get("s", reader, layer, "l2")
    indexes.get("s", reader, "conv5", "cosine")
    assert [(key.layer, key.metric) for key in indexes._known] == [("conv2", "l2"), ("conv5", "cosine")]


def test_one_hit_a_source_where_the_gallery_has_none_changes_nothing(web: httpx.Client, where: str) -> None:
    asked = {"row": 2, "layer": "conv5", "k": 6, "seen": "all"}
    plain = web.get(where, params=asked).json()["neighbors"]
    apart = web.get(where, params={**asked, "per_source": 1}).json()["neighbors"]
    assert [hit["row"] for hit in apart] == [hit["row"] for hit in plain]
