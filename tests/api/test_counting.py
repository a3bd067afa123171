"""The counting equation by REST."""

import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.answers import CountAnswer, Inputs
from models.card import Reference, read_reference
from models.checkpoints import inference
from models.checkpoints import storage as checkpoints
from models.counting.mismatch import mismatched_images, pair_loss
from models.galleries.loading import decode
from models.network import Network
from models.resampling import fit_square
from tests.conftest import Server
from tests.making import Workspace, photo


@pytest.fixture
def where(workspace: Workspace) -> str:
    return f"/api/checkpoints/{workspace.checkpoint}/count"


def as_png(image: Image.Image) -> bytes:
    sink = io.BytesIO()
    image.save(sink, "PNG")
    return sink.getvalue()


@pytest.fixture
def counted(web: httpx.Client, workspace: Workspace, where: str, predictor: None) -> dict[str, Any]:  # noqa: ARG001
    answer = web.post(where, json={"gallery": workspace.gallery, "row": 0})
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def test_the_answer_is_both_sides_and_what_lies_between(counted: dict[str, Any]) -> None:
    whole, tiles = np.array(counted["whole"]), np.array(counted["tiles"])
    assert whole.shape == (8,) and tiles.shape == (4, 8)
    assert np.allclose(counted["sum"], tiles.sum(axis=0), atol=1e-6)
    assert np.allclose(counted["residual"]["per_unit"], whole - tiles.sum(axis=0), atol=1e-6)
    squared = float(((whole - tiles.sum(axis=0)) ** 2).sum())
    assert counted["residual"]["squared"] == pytest.approx(squared, abs=1e-6)
    norm = float((whole**2).sum())
    expected = squared / norm if norm else None
    assert counted["residual"]["relative"] == (None if expected is None else pytest.approx(expected, rel=1e-3))
    largest = max(*whole, *tiles.sum(axis=0))
    assert counted["active_units"] == [u for u in range(8) if max(whole[u], tiles[:, u].sum()) > 1e-3 * largest > 0]
    assert counted["kernel"] == "area" and len(counted["crop"]) == 4


def test_the_rank_is_the_share_of_strangers_of_similar_norm_that_are_closer(
    counted: dict[str, Any], server: Server
) -> None:
    reference = read_reference(server.services.checkpoints.get(server.workspace.checkpoint).folder)
    assert reference is not None
    whole, total = np.array(counted["whole"]), np.array(counted["sum"])
    others = [y for y in reference.whole if np.linalg.norm(y - whole) > 1e-3 * np.linalg.norm(whole)]
    near = sorted(others, key=lambda y: abs(np.linalg.norm(y) - np.linalg.norm(whole)))[: max(1, len(others) // 2)]
    distances = [float(np.linalg.norm(y - total)) for y in near]
    known = counted["strangers"]
    assert known["known"] == len(others) and known["distances"] == pytest.approx(sorted(distances), abs=1e-4)
    residual = counted["residual"]["squared"] ** 0.5
    closer = sum(distance < residual for distance in distances)
    assert counted["residual"]["rank_among_mismatched"] == pytest.approx(closer / len(near))
    assert (counted["summary"]["closer"], counted["summary"]["strangers"]) == (closer, len(near))


def test_an_upload_counts_like_the_same_image_of_the_gallery(
    web: httpx.Client, workspace: Workspace, where: str, counted: dict[str, Any]
) -> None:
    listed = web.get(f"/api/galleries/{workspace.gallery}/images").json()["images"][0]
    source = (workspace.photos / listed["path"]).read_bytes()
    uploaded = web.post(where, files={"file": ("any name", source)}).json()
    assert np.allclose(uploaded["whole"], counted["whole"], atol=1e-4)
    assert uploaded["crop"] == counted["crop"]


def test_the_query_string_counts_like_the_body(
    web: httpx.Client, workspace: Workspace, where: str, counted: dict[str, Any]
) -> None:
    answer = web.get(where, params={"gallery": workspace.gallery, "row": 0}).json()
    assert web.get(answer.pop("links")["page"]).status_code == 200
    assert answer == {name: value for name, value in counted.items() if name != "links"}


@pytest.mark.usefixtures("predictor")
def test_another_kernel_changes_the_whole_and_not_the_tiles(
    web: httpx.Client, workspace: Workspace, where: str, counted: dict[str, Any]
) -> None:
    image = {"gallery": workspace.gallery, "row": 0}
    other = web.post(where, params={"kernel": "lanczos"}, json=image).json()
    assert other["kernel"] == "lanczos" and other["tiles"] == counted["tiles"]
    assert web.post(where, params={"kernel": "nearest"}, json=image).status_code == 422


@pytest.mark.usefixtures("predictor")
def test_a_box_is_counted_as_drawn_and_a_small_one_says_that_it_was_enlarged(
    web: httpx.Client, workspace: Workspace, where: str
) -> None:
    image = {"gallery": workspace.gallery, "row": 0}
    answer = web.post(where, json={**image, "box": [5, 5, 45, 45]}).json()
    assert answer["crop"] == [5, 5, 45, 45] and answer["warnings"] == ["enlarged"]
    assert web.post(where, json={**image, "box": [900, 900, 950, 950]}).status_code == 422
    assert web.post(where, json={**image, "box": [9, 9, 3, 3]}).status_code == 422
    file = {"file": ("a.png", as_png(photo(5, 200, 160)))}
    assert web.post(where, files=file, data={"box": "10,10,90,90"}).json()["crop"] == [10, 10, 90, 90]


@pytest.mark.usefixtures("predictor")
def test_a_single_pixel_is_counted_with_a_warning(web: httpx.Client, where: str) -> None:
    answer = web.post(where, files={"file": ("dot.png", as_png(Image.new("RGB", (1, 1))))})
    assert answer.status_code == 200
    assert answer.json()["warnings"] == ["tiny_image", "enlarged", "low_contrast"]


@pytest.mark.usefixtures("predictor")
def test_the_curve_has_a_point_for_each_share(web: httpx.Client, workspace: Workspace, where: str) -> None:
    curve = web.get(f"{where}/curve", params={"gallery": workspace.gallery, "row": 0}).json()["curve"]
    assert [point["area"] for point in curve] == pytest.approx(np.arange(0.5, 0.96, 0.05).tolist())
    assert all(point["norm"] <= point["total"] + 1e-6 for point in curve)


@pytest.fixture
def itself(server: Server) -> Network:
    """The workspace's network, loaded here."""
    return checkpoints.load(server.services.checkpoints.get(server.workspace.checkpoint).folder)


@pytest.fixture
def jpegs(server: Server) -> Callable[[int], bytes]:
    """The stored image of a row."""
    pack = server.services.galleries.pack(server.workspace.gallery)
    return lambda row: pack.jpeg(row)


def test_every_number_is_what_the_network_itself_says(
    counted: dict[str, Any], itself: Network, jpegs: Callable[[int], bytes]
) -> None:
    alone = inference.count(itself, jpegs(0))
    assert np.allclose(counted["whole"], alone.whole, atol=1e-5)
    assert np.allclose(counted["tiles"], alone.tiles, atol=1e-5)
    summary = counted["summary"]
    whole, total = float(alone.whole.sum()), float(alone.tiles.sum())
    assert (summary["whole"], summary["sum"]) == (pytest.approx(whole, abs=1e-4), pytest.approx(total, abs=1e-4))
    assert summary["average"] == pytest.approx(total / 4, abs=1e-4)
    assert summary["ratio"] == (pytest.approx(whole / total, rel=1e-3) if total else None)


def test_the_pictures_are_the_very_pixels_that_went_in(
    web: httpx.Client, workspace: Workspace, where: str, counted: dict[str, Any], jpegs: Callable[[int], bytes]
) -> None:
    def picture(part: str) -> NDArray[np.uint8]:
        answer = web.get(f"{where}/input.png", params={"gallery": workspace.gallery, "row": 0, "part": part})
        assert answer.headers["content-type"] == "image/png"
        return np.asarray(Image.open(io.BytesIO(answer.content)))

    x0, y0, x1, y1 = (int(edge) for edge in counted["crop"])
    crop = fit_square(decode(jpegs(0))[:, y0:y1, x0:x1], 64).permute(1, 2, 0).numpy()
    rows = [np.hstack([picture(f"{side}-{end}") for end in ("left", "right")]) for side in ("top", "bottom")]
    assert np.array_equal(np.vstack(rows), crop)
    halved = crop.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(picture("whole") - halved).max() <= 0.51
    assert counted["input"]["contrast"] == pytest.approx((crop / 255).std(), abs=1e-5)
    assert counted["input"]["mean"] == pytest.approx((crop / 255).mean(), abs=1e-5)
    assert counted["input"]["divisor"] == counted["input"]["contrast"] and counted["input"]["side"] == 32
    assert (
        web.get(f"{where}/input.png", params={"gallery": workspace.gallery, "row": 0, "part": "x"}).status_code == 422
    )


@pytest.mark.usefixtures("predictor")
def test_the_loss_is_the_networks_own_with_the_other_image_of_the_address(
    web: httpx.Client, workspace: Workspace, where: str, itself: Network, jpegs: Callable[[int], bytes]
) -> None:
    image = {"gallery": workspace.gallery, "row": 3}
    loss = web.get(where, params={**image, "other": 7}).json()["loss"]
    x, y = inference.count(itself, jpegs(3)), inference.count(itself, jpegs(7))
    apart = float(np.square(y.whole - x.total).sum())
    assert loss["pull"] == pytest.approx(x.squared, abs=1e-5) and loss["apart"] == pytest.approx(apart, abs=1e-4)
    assert loss["push"] == pytest.approx(max(0, 10 - apart), abs=1e-4)
    assert loss["loss"] == loss["pull"] + loss["push"] and loss["margin"] == loss["all_zero"] == 10
    assert loss["other"]["row"] == 7
    assert web.get(where, params=image).json()["loss"]["other"]["row"] == 2  # the one before it, as in a batch
    assert web.get(where, params={**image, "row": 0}).json()["loss"]["other"]["row"] == workspace.rows - 1
    assert web.get(where, params={**image, "other": 3}).json()["error"]["code"] == "same_image"
    assert web.get(where, params={**image, "other": 4000}).status_code == 404


@pytest.mark.usefixtures("predictor")
def test_an_upload_is_set_against_the_first_image_of_a_gallery(
    web: httpx.Client, workspace: Workspace, where: str, itself: Network, jpegs: Callable[[int], bytes]
) -> None:
    body = web.post(where, files={"file": ("a.png", as_png(photo(5, 200, 160)))}).json()
    other = body["loss"]["other"]
    assert (other["gallery"], other["row"]) == (workspace.gallery, 0)
    apart = float(np.square(inference.count(itself, jpegs(0)).whole - np.array(body["sum"])).sum())
    assert body["loss"]["apart"] == pytest.approx(apart, abs=1e-4)


@pytest.mark.usefixtures("predictor")
def test_a_crop_with_hardly_any_contrast_says_that_normalisation_amplifies_it(web: httpx.Client, where: str) -> None:
    rng = np.random.default_rng(0)
    faint = Image.fromarray((128 + rng.normal(0, 5, (128, 128, 3))).clip(0, 255).astype(np.uint8))
    answer = web.post(where, files={"file": ("faint.png", as_png(faint))}).json()
    assert answer["warnings"] == ["low_contrast"] and 0 < answer["input"]["contrast"] < 0.03
    flat = web.post(where, files={"file": ("flat.png", as_png(Image.new("RGB", (128, 128), "gray")))}).json()
    assert flat["input"]["contrast"] == 0 and flat["input"]["divisor"] == pytest.approx(1 / 255)


def test_the_reference_is_what_training_left(web: httpx.Client, where: str, server: Server) -> None:
    stored = read_reference(server.services.checkpoints.get(server.workspace.checkpoint).folder)
    assert stored is not None
    found = web.get(f"{where}/reference").json()
    assert found["n"] == len(stored.whole)
    assert found["whole"] == pytest.approx(stored.whole.sum(axis=1).tolist(), rel=1e-5)
    assert found["sum"] == pytest.approx(stored.total.sum(axis=1).tolist(), rel=1e-5)


def test_best_and_worst_are_ranked_within_thirds_of_the_magnitude(
    web: httpx.Client, workspace: Workspace, where: str, server: Server
) -> None:
    found = web.get(f"{where}/equations", params={"gallery": workspace.gallery}).json()
    assert found["scan"] == workspace.scan
    equations = server.services.scans.open(workspace.scan).reader.equation
    size = np.linalg.norm(equations.total, axis=1)
    order = np.argsort(size, kind="stable")
    for band, rows in zip(found["bands"], np.array_split(order, 3), strict=True):
        assert (band["low"], band["high"]) == (pytest.approx(size[rows].min()), pytest.approx(size[rows].max()))
        known = {int(row): float(equations.relative[row]) for row in rows if np.isfinite(equations.relative[row])}
        assert band["images"] == len(known) and band["empty"] == len(rows) - len(known)
        ranked = sorted(known, key=lambda row: (known[row], list(rows).index(row)))
        each = min(4, len(known) // 2)
        assert [item["row"] for item in band["best"]] == ranked[:each]
        assert [item["row"] for item in band["worst"]] == ranked[::-1][:each]
    assert web.get(f"{where}/equations", params={"gallery": "nothing"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"row": 0}, 422),
        ({"gallery": "photos"}, 422),
        ({"gallery": "photos", "row": 0, "vector": [1]}, 422),
        ({"gallery": "photos", "row": -1}, 422),
        ({"gallery": "photos", "row": 10**30}, 422),
        ({"gallery": "photos", "row": 4000}, 404),
        ({"gallery": "nothing", "row": 0}, 404),
    ],
)
def test_an_image_that_cannot_be_found_says_why(
    web: httpx.Client, where: str, body: dict[str, Any], status: int
) -> None:
    assert web.post(where, json=body).status_code == status


def test_an_unknown_checkpoint_is_not_found(web: httpx.Client, workspace: Workspace) -> None:
    asked = {"gallery": workspace.gallery, "row": 0}
    assert web.post("/api/checkpoints/nothing/count", json=asked).status_code == 404
    assert web.get("/api/checkpoints/nothing/count", params=asked).status_code == 404


NOTHING = Inputs(np.zeros((5, 2, 2, 3), np.uint8), 0, 0, 1 / 255)


def answer(whole: list[float], tiles: list[list[float]]) -> CountAnswer:
    return CountAnswer(np.float32(whole), np.float32(tiles), (0, 0, 9, 9), False, NOTHING)


def test_the_residual_can_be_checked_by_hand() -> None:
    """Values of the specification's first check: the tiles sum to [1, 0, 1.75]."""
    example = answer([1, 0, 2], [[0.5, 0, 0.5], [0, 0, 1], [0.25, 0, 0.25], [0.25, 0, 0]])
    assert example.total.tolist() == [1, 0, 1.75]
    assert example.per_unit.tolist() == [0, 0, 0.25]
    assert example.squared == 0.0625
    assert example.relative == pytest.approx(0.0125)
    assert answer([0], [[1], [0], [0], [0]]).relative is None


def test_the_loss_can_be_checked_by_hand() -> None:
    """The same check: the push is on the squared norm of the whole vector, and nothing counted costs the margin."""
    x = answer([1, 0, 2], [[0.5, 0, 0.5], [0, 0, 1], [0.25, 0, 0.25], [0.25, 0, 0]])
    far, nothing = np.float32([0, 3, 0]), np.zeros(3, np.float32)
    assert pair_loss(x.whole, x.total, far, 10).loss == 0.0625
    assert pair_loss(x.whole, x.total, nothing, 10).loss == 6.0
    zero = pair_loss(nothing, nothing, nothing, 10)
    assert (zero.pull, zero.push, zero.loss) == (0, 10, 10)


def test_strangers_are_the_images_of_the_nearest_norm_and_never_the_image_itself() -> None:
    reference = Reference(np.float32([[3], [10], [4.5], [9], [5], [8]]), np.zeros((6, 1), np.float32))
    found = mismatched_images(np.float32([5]), np.float32([4]), reference)
    assert found is not None
    # 5 is the image itself; of the other five the two nearest to 5 are 4.5 and 3, .5 and 1 away from the sum 4
    assert found.known == 5 and found.norms == (3, 4.5) and found.distances.tolist() == [0.5, 1]
    assert found.rank(0.75) == (1, 2) and found.rank(0.5).closer == 0
    assert mismatched_images(np.float32([5]), np.float32([4]), Reference(np.float32([[5]]), np.float32([[5]]))) is None
