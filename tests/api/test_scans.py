"""Scans and units by REST: shapes, order, boxes, heat maps, embeddings, and what is refused."""

from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.conftest import Server
from tests.making import CHANNELS, Workspace


@pytest.fixture
def where(workspace: Workspace) -> str:
    return f"/api/scans/{workspace.scan}"


def reader(server: Server) -> Any:
    return server.services.scans.open(server.workspace.scan).reader


def test_scans_are_listed_newest_first_with_their_links(web: httpx.Client, workspace: Workspace, where: str) -> None:
    answer = web.get("/api/scans").json()
    assert answer["next"] is None
    found = next(scan for scan in answer["scans"] if scan["slug"] == workspace.scan)
    assert found["covers"] == {"rows": workspace.rows, "of": workspace.rows, "complete": True}
    assert found["links"]["self"] == where and found["links"]["page"] == where.removeprefix("/api")
    assert web.get(found["links"]["job"]).json()["links"]["scan"] == where


def test_the_overview_has_layers_in_forward_order_and_sixteen_highest_and_lowest(
    web: httpx.Client, server: Server, where: str
) -> None:
    answer = web.get(where).json()
    assert [layer["name"] for layer in answer["layers"]] == list(reader(server).layers)
    assert answer["layers"][-1]["kind"] == "counts"
    norms = np.linalg.norm(reader(server).embeddings("counts"), axis=1)
    l2 = answer["magnitude"]["l2"]
    assert len(l2["highest"]) == len(l2["lowest"]) == 16
    assert l2["highest"][0]["value"] == pytest.approx(norms.max()) and l2["lowest"][0]["value"] == norms.min()
    assert len(answer["counts"]["average"]) == answer["layers"][-1]["units"]


def test_best_equations_are_not_the_faint_images(web: httpx.Client, server: Server, where: str) -> None:
    residual = web.get(where).json()["residual"]
    whole = np.linalg.norm(reader(server).equation.whole, axis=1)
    assert all(item["whole"] >= np.median(whole) for item in [*residual["best"], *residual["worst"]])
    values = [item["relative"] for item in residual["best"]]
    assert values == sorted(values) and residual["worst"][0]["relative"] >= values[-1]
    assert sum(residual["relative"]["counts"]) + residual["empty"] == server.workspace.rows


def test_a_unit_has_its_top_images_best_first_with_boxes_on_the_image(
    web: httpx.Client, server: Server, workspace: Workspace, where: str
) -> None:
    answer = web.get(f"{where}/units/conv3/5", params={"seen": "all"}).json()
    assert answer["unit"] == 5 and answer["layer"] == "conv3"
    assert answer["address"] == f"{workspace.checkpoint}:conv3:5"
    histogram = answer["statistics"]["histogram"]
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1 == 66
    assert sum(histogram["counts"]) == workspace.rows
    order = [(-image["value"], image["row"]) for image in answer["top"]]
    assert order == sorted(order) and len(order) == min(100, workspace.rows)
    layer = reader(server).layer("conv3")
    for image in answer["top"][:10]:
        known = server.services.galleries.image(workspace.gallery, image["row"])
        x0, y0, x1, y1 = image["box"]
        assert 0 <= x0 < x1 <= known.jpeg_width and 0 <= y0 < y1 <= known.jpeg_height
        assert max(x1 - x0, y1 - y0) <= layer.receptive_field
        assert web.get(image["links"]["thumbnail"]).status_code == 200


def test_the_part_that_matters_lies_inside_the_field(web: httpx.Client, where: str) -> None:
    for image in web.get(f"{where}/units/conv3/5").json()["top"][:10]:
        (x0, y0, x1, y1), (a0, b0, a1, b1) = image["box"], image["region"]
        assert x0 <= a0 < a1 <= x1 and y0 <= b0 < b1 <= y1
    layers = {layer["name"]: layer for layer in web.get(where).json()["layers"]}
    assert 0 < layers["conv5"]["region"] < layers["conv5"]["receptive_field"]
    assert layers["counts"]["region"] is None


def test_a_unit_s_whole_range_is_shown(web: httpx.Client, server: Server, workspace: Workspace, where: str) -> None:
    found = web.get(f"{where}/units/conv3/5", params={"seed": 3, "seen": "all"}).json()
    rows, values = found["rows"], reader(server).maxima("conv3")[:, 5]
    assert list(rows) == ["top", "p90", "median", "random", "zero"]
    assert [image["row"] for image in rows["top"]["images"]] == [image["row"] for image in found["top"][:8]]
    assert rows["random"]["among"] == workspace.rows
    assert rows["zero"]["among"] == int((values <= 0).sum()) == found["statistics"]["histogram"]["counts"][0]
    assert rows["median"]["level"] == pytest.approx(np.median(values[values > 0]), rel=0.2)
    for image in rows["random"]["images"]:
        assert image["value"] == pytest.approx(values[image["row"]], rel=1e-3)
    same, other = (
        web.get(f"{where}/units/conv3/5", params={"seed": seed, "seen": "all"}).json()["rows"]["random"]
        for seed in (3, 4)
    )
    assert rows["random"] == same != other


def test_overlap_counts_shared_top_images(web: httpx.Client, where: str) -> None:
    first = web.get(f"{where}/units/conv3/5", params={"seen": "all"}).json()
    best = first["overlap"]["units"][0]
    other = web.get(best["links"]["self"], params={"seen": "all"}).json()
    one, two = ({image["row"] for image in unit["top"][:8]} for unit in (first, other))
    assert best["shared"] == len(one & two) and best["jaccard"] == pytest.approx(len(one & two) / len(one | two))


def test_units_of_vector_layers_have_no_place_and_the_scanned_crop_as_box(web: httpx.Client, where: str) -> None:
    answer = web.get(f"{where}/units/fc6", params={"sort": "max", "limit": 1}).json()
    image = answer["units"][0]["top"][0]
    assert image["y"] is None and image["x"] is None
    x0, y0, x1, y1 = image["box"]
    assert x1 - x0 == y1 - y0 >= 64


@pytest.mark.parametrize("sort", ["mean", "max", "share_active"])
def test_units_are_sorted_largest_first_and_paged(web: httpx.Client, where: str, sort: str) -> None:
    first = web.get(f"{where}/units/conv4", params={"sort": sort, "limit": 60}).json()
    rest = web.get(f"{where}/units/conv4", params={"sort": sort, "limit": 60, "cursor": first["next"]}).json()
    units = [*first["units"], *rest["units"]]
    values = [unit["statistics"][sort] for unit in units]
    assert values == sorted(values, reverse=True)
    assert len({unit["unit"] for unit in units}) == first["total"] == CHANNELS[3] and rest["next"] is None


def test_a_dead_unit_says_so_and_has_no_images(web: httpx.Client, server: Server, where: str) -> None:
    for layer in ("fc6", "fc7", "counts", "conv1"):
        dead = np.flatnonzero(reader(server).units(layer).dead)
        if len(dead):
            answer = web.get(f"{where}/units/{layer}/{dead[0]}").json()
            assert answer["statistics"]["dead"] and answer["statistics"]["max"] == 0 and answer["top"] == []
            return
    pytest.skip("no unit of this network is dead")


def test_similar_units_are_the_most_correlated_columns(web: httpx.Client, server: Server, where: str) -> None:
    found = web.get(f"{where}/units/conv2/7").json()["similar"]["units"]
    vectors = reader(server).embeddings("conv2").astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.nan_to_num(np.corrcoef(vectors.T)[7])
    expected[7] = -1
    assert found[0]["unit"] == int(expected.argmax())
    assert found[0]["correlation"] == pytest.approx(expected.max(), abs=1e-3)


def test_embeddings_come_as_one_numpy_file_or_as_one_row(
    web: httpx.Client, server: Server, workspace: Workspace, where: str
) -> None:
    whole = np.load(BytesIO(web.get(f"{where}/embeddings/conv5.npy").content))
    assert whole.shape == (workspace.rows, CHANNELS[4]) and whole.dtype == np.float16
    assert np.array_equal(whole, reader(server).embeddings("conv5").astype(np.float16))
    one = np.load(BytesIO(web.get(f"{where}/embeddings/conv5.npy", params={"row": 3}).content))
    assert np.array_equal(one, whole[3])
    counts = np.load(BytesIO(web.get(f"{where}/embeddings/counts.npy").content))
    assert counts.dtype == np.float32 and (counts >= 0).all()


@pytest.mark.usefixtures("predictor")
def test_the_heat_map_peaks_where_the_scan_found_the_maximum(web: httpx.Client, where: str) -> None:
    best = web.get(f"{where}/units/conv3/5").json()["top"][0]
    answer = web.get(best["links"]["heatmap"]).json()
    values = np.array(answer["values"])
    assert values.max() == pytest.approx(best["value"], rel=2e-2)
    assert values[best["y"], best["x"]] == pytest.approx(values.max(), rel=1e-4)
    picture = Image.open(BytesIO(web.get(f"{where}/units/conv3/5/heatmap.png", params={"row": best["row"]}).content))
    stored = Image.open(BytesIO(web.get(best["links"]["image"]).content))
    assert picture.size == stored.size and picture.mode == "RGBA"
    x0, y0, x1, y1 = best["box"]
    alpha = np.asarray(picture)[..., 3].astype(float)
    peak = np.unravel_index(alpha.argmax(), alpha.shape)
    assert y0 <= peak[0] < y1 and x0 <= peak[1] < x1


@pytest.mark.usefixtures("predictor")
def test_the_heat_map_of_a_vector_layer_is_one_cell(web: httpx.Client, where: str) -> None:
    answer = web.get(f"{where}/units/counts/0/heatmap", params={"row": 0}).json()
    assert np.array(answer["values"]).shape == (1, 1)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/scans/nowhere", 404),
        ("/api/scans/nowhere/units/conv1", 404),
        ("{where}/units/conv9", 404),
        ("{where}/units/conv1/24", 404),
        ("{where}/units/conv1/-1", 422),
        ("{where}/units/conv1/x", 422),
        ("{where}/units/conv1?sort=colour", 422),
        ("{where}/units/conv1?limit=0", 422),
        ("{where}/units/conv1?cursor=-3", 422),
        ("{where}/units/conv1/0?seed=-1", 422),
        ("{where}/units/conv1/0?per_source=x", 422),
        ("{where}/units/conv1/0/heatmap", 422),
        ("{where}/units/conv1/0/heatmap?row=999", 404),
        ("{where}/embeddings/conv9.npy", 404),
        ("{where}/embeddings/conv1.npy?row=999", 404),
        ("/api/scans?cursor=x", 422),
    ],
)
def test_what_is_not_there_or_not_valid_is_told(web: httpx.Client, where: str, path: str, code: int) -> None:
    answer = web.get(path.format(where=where))
    assert answer.status_code == code
    assert set(answer.json()["error"]) >= {"code", "message"}


def submit(web: httpx.Client, spec: dict[str, object]) -> httpx.Response:
    return web.post("/api/jobs", json={"kind": "scan", "spec": spec})


def test_the_same_scan_submitted_again_is_the_job_that_made_it(web: httpx.Client, workspace: Workspace) -> None:
    answer = submit(web, {"checkpoint": workspace.checkpoint, "gallery": workspace.gallery})
    assert answer.status_code == 200 and answer.json()["state"] == "done"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"layers": ["conv9"]}, 422),
        ({"layers": []}, 422),
        ({"colour": 1}, 422),
        ({"top": 0}, 422),
        ({"precision": "fp64"}, 422),
        ({"checkpoint": "nothing"}, 404),
        ({"gallery": "nothing"}, 404),
    ],
)
def test_a_scan_that_cannot_be_made_is_refused(
    web: httpx.Client, workspace: Workspace, change: dict[str, object], code: int
) -> None:
    spec = {"checkpoint": workspace.checkpoint, "gallery": workspace.gallery, **change}
    assert submit(web, spec).status_code == code
