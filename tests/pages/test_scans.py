"""Pages of scans and units: whole without JavaScript, state in the address, keys that walk."""

import re
from html import unescape

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.making import CHANNELS, Workspace


@pytest.fixture
def where(workspace: Workspace) -> str:
    return f"/scans/{workspace.scan}"


def links(html: str, part: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'href="([^"]+)"', html) if part in unescape(found)]


def test_the_list_leads_to_the_scan_and_offers_another(web: httpx.Client, where: str) -> None:
    page = web.get("/scans")
    assert page.status_code == 200 and where in links(page.text, where)
    assert 'name="checkpoint"' in page.text and 'name="gallery"' in page.text


def test_the_overview_shows_layers_counts_rankings_and_equations(web: httpx.Client, where: str) -> None:
    page = web.get(where)
    assert page.status_code == 200
    for words in ("Layers", "Average count vector", "Magnitude ranking", "Best equations", "above the median"):
        assert words in page.text
    assert {f"{where}/units/{layer}" for layer in ("conv1", "fc7", "counts")} <= set(links(page.text, "/units/"))
    assert "trained on this very gallery" in page.text
    assert web.get(links(page.text, "norm=l1")[0].partition("#")[0]).status_code == 200


def test_the_grid_shows_every_unit_page_by_page(web: httpx.Client, where: str) -> None:
    seen: set[str] = set()
    address = f"{where}/units/conv3?limit=40"
    while address:
        page = web.get(address)
        assert page.status_code == 200
        seen |= set(re.findall(rf'href="{where}/units/conv3/(\d+)"', page.text))
        following = re.search(r'href="([^"]+)" rel="next"', page.text)
        address = unescape(following[1]) if following else ""
    assert seen == {str(unit) for unit in range(CHANNELS[2])}


def test_a_sorted_grid_leads_to_units_that_walk_in_that_order(web: httpx.Client, where: str) -> None:
    grid = web.get(f"{where}/units/conv3?sort=max")
    order = [int(unit) for unit in re.findall(rf'href="{where}/units/conv3/(\d+)\?sort=max"', grid.text)]
    page = web.get(f"{where}/units/conv3/{order[1]}?sort=max")
    assert f'rel="prev" href="{where}/units/conv3/{order[0]}?sort=max"' in page.text
    assert f'rel="next" href="{where}/units/conv3/{order[2]}?sort=max"' in page.text


def test_a_unit_shows_whole_images_with_the_box_and_the_crop(
    web: httpx.Client, workspace: Workspace, where: str
) -> None:
    page = web.get(f"{where}/units/conv4/3?k=5&seen=all")
    assert page.status_code == 200
    best = web.get(f"/api{where}/units/conv4/3?seen=all").json()["top"][0]
    assert page.text.count('class="shot"') == 5
    for kind in ("box", "region"):
        x0, y0, *_ = best[kind]
        assert f'x="{x0}" y="{y0}"' in page.text
    assert f"{workspace.checkpoint}:conv4:3" in page.text
    assert "heatmap.png" not in page.text and "heatmap.png" in web.get(f"{where}/units/conv4/3?heat=1").text


def test_a_unit_of_the_count_vector_has_a_page_without_heat_maps(web: httpx.Client, where: str) -> None:
    page = web.get(f"{where}/units/counts/0")
    assert page.status_code == 200 and "Heat maps" not in page.text


@pytest.mark.parametrize("path", ["/scans/nowhere", "{where}/units/conv9", "{where}/units/conv1/24"])
def test_what_is_not_there_gets_a_page_that_says_so(web: httpx.Client, where: str, path: str) -> None:
    answer = web.get(path.format(where=where), headers={"accept": "text/html"})
    assert answer.status_code == 404 and answer.headers["content-type"].startswith("text/html")


def test_keys_walk_from_unit_to_unit_and_back_to_the_grid(tab: Page, where: str) -> None:
    tab.goto(f"{where}/units/conv2/10")
    expect(tab.locator(".keys")).to_be_visible()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_url(f"**{where}/units/conv2/11")
    tab.keyboard.press("k")
    tab.wait_for_url(f"**{where}/units/conv2/10")
    tab.keyboard.press("u")
    tab.wait_for_url(f"**{where}/units/conv2?sort=unit")


def test_a_crop_shows_the_box_of_its_image(tab: Page, where: str) -> None:
    """The frame's edges lie on the box's edges of the image placed in it."""
    tab.goto(f"{where}/units/conv3/5?k=1")
    best = tab.request.get(f"/api{where}/units/conv3/5").json()["top"][0]
    frame = tab.locator(".shot .crop-frame").bounding_box()
    image = tab.locator(".shot .crop-frame img").bounding_box()
    rect = tab.locator(".shot .box rect").last
    assert frame and image
    x0, y0, x1, _ = best["box"]
    scale = frame["width"] / (x1 - x0)
    assert (frame["x"] - image["x"]) / scale == pytest.approx(x0, abs=0.5)
    assert (frame["y"] - image["y"]) / scale == pytest.approx(y0, abs=0.5)
    assert float(rect.get_attribute("x") or 0) == best["region"][0]


def test_a_unit_shows_its_whole_range_and_random_images_can_be_drawn_again(web: httpx.Client, where: str) -> None:
    page = web.get(f"{where}/units/conv3/5")
    for words in (
        "90th percentile",
        "Median",
        "Random",
        "Silent",
        "Overlap of its top 8",
        "above zero on",
        "exactly 0:",
    ):
        assert words in page.text
    (again,) = links(page.text, "seed=1")
    assert web.get(again.partition("#")[0]).status_code == 200


def test_a_layer_opens_in_index_order(web: httpx.Client, where: str) -> None:
    (address,) = [link for link in links(web.get(where).text, "/units/conv4") if link.endswith("/units/conv4")]
    shown = re.findall(r'data-unit="(\d+)"', web.get(address).text)
    assert shown == [str(unit) for unit in range(60)]


def test_a_click_on_an_image_of_a_unit_shows_its_neighbours(tab: Page, where: str) -> None:
    tab.goto(f"{where}/units/conv3/5?k=1")
    tab.locator(".shot .whole").first.click()
    tab.wait_for_url(f"**{where}/search?row=*&layer=conv3")


def test_back_from_a_walk_shows_the_grid_where_it_was_with_the_unit_seen_last(tab: Page, where: str) -> None:
    tab.goto(f"{where}/units/conv2?sort=mean")
    tile = tab.locator(".unit-tile").nth(30)
    tile.scroll_into_view_if_needed()
    before = tab.evaluate("window.scrollY")
    assert before > 0
    tile.locator("a").click()
    tab.wait_for_url(f"**{where}/units/conv2/*?sort=mean")
    following = tab.locator("a[rel=next]").inner_text().split()[0]
    tab.keyboard.press("ArrowRight")
    tab.wait_for_url(f"**{where}/units/conv2/{following}?sort=mean")
    tab.go_back()
    tab.wait_for_url(f"**{where}/units/conv2?sort=mean")
    expect(tab.locator(f".unit-tile.here[data-unit='{following}']")).to_be_visible()
    assert abs(tab.evaluate("window.scrollY") - before) < 40


def test_heat_maps_are_cells_unless_smoothing_is_asked_for(web: httpx.Client, where: str) -> None:
    plain = web.get(f"{where}/units/conv3/5?heat=1").text
    assert "heatmap.png?row=" in plain
    assert not re.search(r"heatmap\.png\?row=\d+&(amp;)?smooth", plain) and "one square a cell" in plain
    assert re.search(r"heatmap\.png\?row=\d+&(amp;)?smooth=1", web.get(f"{where}/units/conv3/5?heat=1&smooth=1").text)
