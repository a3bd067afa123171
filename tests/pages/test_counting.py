"""The counting bench as a page: the picture, the bars, the numbers, the strangers, the curve."""

import re
from html import unescape
from itertools import pairwise

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from app.predictor.client import Predictor
from app.routes.counting.charts import draw
from app.web.charts import Dot, scatter_chart
from app.web.formats import number
from models.answers import CountAnswer, Inputs
from tests.conftest import Server
from tests.making import Workspace


@pytest.fixture
def where(workspace: Workspace) -> str:
    return f"/checkpoints/{workspace.checkpoint}/count"


def links(html: str, part: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'href="([^"]+)"', html) if part in unescape(found)]


def test_without_an_image_there_are_images_to_choose_and_a_way_to_bring_ones_own(web: httpx.Client, where: str) -> None:
    page = web.get(where)
    assert page.status_code == 200
    assert page.text.count('class="tile-link"') == 12
    assert 'type="file"' in page.text and 'enctype="multipart/form-data"' in page.text


@pytest.mark.usefixtures("predictor")
def test_an_image_is_counted_without_javascript(web: httpx.Client, workspace: Workspace, where: str) -> None:
    page = web.get(where, params={"gallery": workspace.gallery, "row": 1})
    assert page.status_code == 200
    for part in (
        "Whole counts",
        "Tiles count together",
        "Additivity ratio",
        "What the network saw",
        "Adds or averages?",
        "The loss of this image",
        "Among strangers of similar size",
        "Best and worst equations",
        "How much a crop counts",
    ):
        assert part in page.text, part
    assert page.text.count('class="tile-frame') == 4
    twin = links(page.text, "/api/checkpoints/")
    body = next(answer for link in twin if (answer := web.get(link)).status_code == 200 and "count?" in link).json()
    assert page.text.count('class="slot"') == len(body["active_units"])


@pytest.mark.usefixtures("predictor")
def test_a_unit_leads_to_its_top_images(web: httpx.Client, workspace: Workspace, where: str) -> None:
    for row in range(workspace.rows):
        page = web.get(where, params={"gallery": workspace.gallery, "row": row})
        units = links(page.text, f"/scans/{workspace.scan}/units/counts/")
        if units:
            assert web.get(units[0]).status_code == 200
            return
    pytest.skip("this network counts nothing in any image")


@pytest.mark.usefixtures("predictor")
def test_kernel_region_and_crop_are_in_the_address(web: httpx.Client, workspace: Workspace, where: str) -> None:
    image = {"gallery": workspace.gallery, "row": 1}
    page = web.get(where, params={**image, "kernel": "cubic", "area": 0.7})
    assert page.status_code == 200
    assert '<option value="cubic" selected>' in page.text and ">70 %<" in page.text
    assert web.get(where, params={**image, "box": "4,4,60,60"}).text.count("enlarged") >= 1
    assert len(links(page.text, "area=")) >= 10
    assert '<input type="hidden" name="area" value="0.7">' in page.text
    both = web.get(where, params={**image, "box": "4,4,60,60", "area": 0.7})
    assert 'name="area"' not in both.text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("gallery=photos&row=4000", 404),
        ("gallery=nothing&row=0", 404),
        ("row=0", 422),
        ("gallery=photos&row=0&kernel=nearest", 422),
        ("gallery=photos&row=0&area=7", 422),
        ("upload=zzz", 422),
    ],
)
def test_a_bad_address_is_a_page_that_says_why(web: httpx.Client, where: str, query: str, status: int) -> None:
    page = web.get(f"{where}?{query}", headers={"Accept": "text/html"})
    assert page.status_code == status and "text/html" in page.headers["content-type"]


@pytest.mark.usefixtures("predictor")
def test_an_upload_is_counted_at_an_address_of_its_own(web: httpx.Client, workspace: Workspace, where: str) -> None:
    source = next(workspace.photos.rglob("*.jpg")).read_bytes()
    answer = web.post(f"{where}?kernel=linear", files={"file": ("x.jpg", source)})
    assert answer.status_code == 303 and "upload=" in answer.headers["location"]
    page = web.get(answer.headers["location"])
    assert page.status_code == 200 and '<option value="linear" selected>' in page.text


def test_while_the_network_is_loaded_the_page_says_so_and_comes_back(
    server: Server, workspace: Workspace, web: httpx.Client, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.services.counting, "_predictor", Predictor(server.services.settings))
    page = web.get(where, params={"gallery": workspace.gallery, "row": 0})
    assert page.status_code == 503 and page.headers["retry-after"]
    assert 'http-equiv="refresh"' in page.text and "being loaded" in page.text


@pytest.mark.usefixtures("predictor")
def test_the_slider_opens_the_bench_for_its_crop(tab: Page, workspace: Workspace, where: str) -> None:
    tab.goto(f"{where}?gallery={workspace.gallery}&row=1")
    slider = tab.get_by_role("slider")
    slider.focus()
    slider.press("ArrowLeft")
    tab.wait_for_url(re.compile(r"area=0\.9"))
    expect(tab.locator("[data-area-text]")).to_have_text("90 %")


@pytest.mark.usefixtures("predictor")
def test_a_pasted_image_is_counted(tab: Page, where: str) -> None:
    tab.goto(where)
    tab.evaluate(
        """async () => {
          const canvas = new OffscreenCanvas(200, 160);
          const pen = canvas.getContext("2d");
          pen.fillStyle = "teal"; pen.fillRect(20, 20, 90, 80);
          const blob = await canvas.convertToBlob({ type: "image/png" });
          const data = new DataTransfer();
          data.items.add(new File([blob], "pasted.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }"""
    )
    tab.wait_for_url(re.compile("upload="))
    expect(tab.get_by_role("heading", name="Whole against tiles")).to_be_visible()


def test_the_bars_are_as_high_as_the_counts() -> None:
    tiles = np.float32([[1, 0], [2, 0], [0, 0], [1, 0.5]])
    inputs = Inputs(np.zeros((5, 4, 4, 3), np.uint8), 0.5, 0.2, 0.2)
    figure = draw(CountAnswer(np.float32([2, 1]), tiles, (0, 0, 8, 8), False, inputs), [0, 1], "/units/")
    first, second = figure.units
    assert (first.unit, second.unit) == (0, 1) and first.href == "/units/0"
    heights = {block.kind: block.height for block in first.blocks}
    assert heights["tile-1"] == pytest.approx(2 * heights["tile-0"])
    assert heights["whole"] == pytest.approx(heights["tile-1"])
    stack = [block for block in first.blocks if block.kind.startswith("tile-")]
    assert stack[0].y + stack[0].height == pytest.approx(figure.base)
    for lower, upper in pairwise(stack):
        assert upper.y + upper.height == pytest.approx(lower.y)
    assert first.residual == -2 and second.residual == 0.5
    below = next(block for block in first.blocks if block.kind == "residual")
    assert below.y == pytest.approx(figure.zero)  # fewer in the whole: the bar hangs down


@pytest.mark.usefixtures("predictor")
def test_the_page_says_what_its_json_says(web: httpx.Client, workspace: Workspace, where: str) -> None:
    image = {"gallery": workspace.gallery, "row": 2, "other": 9}
    page, body = web.get(where, params=image).text, web.get(f"/api{where}", params=image).json()
    summary, loss = body["summary"], body["loss"]
    for value in (summary["whole"], summary["sum"], summary["average"], summary["ratio"], summary["residual"]):
        assert f">{number(value)}<" in page
    assert f"{number(loss['pull'])} + max(0, 10 − {number(loss['apart'])})" in page
    assert f"{number(loss['pull'])} + {number(loss['push'])} = <b>{number(loss['loss'])}</b>" in page
    assert "An all-zero network scores exactly 10: 0 + max(0, 10 − 0)" in page
    assert f"Of the {summary['strangers']} held-out images" in page
    assert (
        page.count('<path class="dot') == len(body["active_units"]) + 1 + web.get(f"/api{where}/reference").json()["n"]
    )
    assert page.count('<li class="input ') == 5


@pytest.mark.usefixtures("predictor")
def test_the_other_image_is_in_the_address_and_never_the_image_itself(
    web: httpx.Client, workspace: Workspace, where: str
) -> None:
    image: dict[str, str | int] = {"gallery": workspace.gallery, "row": 2}
    page = web.get(where, params={**image, "other": 1}).text
    assert f"y, row 1 of {workspace.gallery}" in page
    assert links(page, "other=") and all("other=3" in link for link in links(page, "#loss"))  # 2 is x
    assert web.get(where, params={**image, "other": 2}, headers={"Accept": "text/html"}).status_code == 422


@pytest.mark.usefixtures("predictor")
def test_an_upload_is_set_against_an_image_of_a_gallery(web: httpx.Client, workspace: Workspace, where: str) -> None:
    source = next(workspace.photos.rglob("*.jpg")).read_bytes()
    at = web.post(where, files={"file": ("x.jpg", source)}).headers["location"]
    assert f"y, row 0 of {workspace.gallery}" in web.get(at).text
    assert f"y, row 5 of {workspace.gallery}" in web.get(f"{at}&other=5").text


@pytest.mark.usefixtures("predictor")
def test_thirds_lead_to_the_benches_of_their_images(web: httpx.Client, workspace: Workspace, where: str) -> None:
    page = web.get(where, params={"gallery": workspace.gallery, "row": 1}).text
    table = page[page.index('class="equations"') : page.index("</table>", page.index('class="equations"'))]
    bands = web.get(f"/api{where}/equations", params={"gallery": workspace.gallery}).json()["bands"]
    rows = [item["row"] for band in bands for item in (*band["best"], *band["worst"])]
    assert [int(row) for row in re.findall(r"[?&]row=([0-9]+)", unescape(table))] == rows
    assert web.get(links(table, "row=")[0]).status_code == 200 if rows else "none" in table


def test_points_of_a_scatter_lie_on_one_scale_with_its_rays() -> None:
    chart = scatter_chart(
        [Dot(4, 1, label="unit 3"), Dot(2, 2, href="/units/1", marked=True)], rays={"y = x": 1, "quarter": 0.25}
    )
    assert 'd="M0.0 1000.0L0.0 1000.0L1000.0 0.0"' in chart and 'L1000.0 750.0"' in chart
    assert '<path class="dot" d="M1000.0 750.0L1000.0 750.0">' in chart
    assert '<a href="/units/1"><path class="dot marked" d="M500.0 500.0' in chart
    assert '<span class="dot-name left" style="left:100.00%;bottom:25.00%">unit 3</span>' in chart
    assert "&lt;b&gt;" in scatter_chart([Dot(1, 1, label="<b>")], rays={})
