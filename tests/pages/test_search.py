"""The search page: whole without JavaScript, every state in its address, a drag makes a region."""

import re
from html import unescape

import httpx
import pytest
from playwright.sync_api import Page, expect

from app.predictor.client import Predictor
from tests.conftest import Server
from tests.making import Workspace


@pytest.fixture
def where(workspace: Workspace) -> str:
    return f"/scans/{workspace.scan}/search"


def links(html: str, part: str) -> list[str]:
    """The addresses of a page that hold `part`."""
    return [unescape(found) for found in re.findall(r'href="([^"]+)"', html) if part in unescape(found)]


def distances(html: str) -> list[float]:
    """Of the neighbours; those by other spaces come later on the page."""
    shown = html.partition('id="beside-')[0]
    return [
        float(found) for found in re.findall(r'tile-caption[^>]*><b>[^<]*</b> <small class="muted">([^<]+)<', shown)
    ]


def tiles_of(html: str) -> list[str]:
    """Where the neighbours lead."""
    return [unescape(found) for found in re.findall(r'<a href="([^"]+)" class="tile-link">', html)]


def test_without_a_query_there_are_images_to_start_from(web: httpx.Client, where: str) -> None:
    page = web.get(where)
    assert page.status_code == 200
    starts = tiles_of(page.text)
    assert len(starts) == 24
    assert web.get(starts[0]).status_code == 200
    others = links(page.text, "shuffle=1")
    assert tiles_of(web.get(others[0]).text) != starts


def test_a_query_shows_its_neighbours_with_growing_distances(web: httpx.Client, where: str) -> None:
    page = web.get(where, params={"row": 4, "layer": "conv5", "k": 12, "seen": "all"})
    assert page.status_code == 200
    shown = distances(page.text)
    assert len(shown) == 12 and shown == sorted(shown)
    assert "conv5 vectors lie closest to the query&#39;s" in page.text and "the Euclidean distance" in page.text
    assert "the query itself is left out" in page.text


def test_a_neighbour_leads_to_its_own_neighbours_by_the_same_measure(web: httpx.Client, where: str) -> None:
    page = web.get(where, params={"row": 4, "layer": "conv5", "k": 7, "metric": "cosine", "seen": "all"})
    tiles = tiles_of(page.text)
    assert len(tiles) == 7
    assert all("layer=conv5" in tile and "metric=cosine" in tile and "k=7" in tile for tile in tiles)
    assert len(distances(web.get(tiles[0]).text)) == 7


def test_the_json_twin_of_the_page_answers(web: httpx.Client, where: str) -> None:
    page = web.get(where, params={"row": 4, "layer": "conv5", "k": 3})
    (twin,) = [link for link in links(page.text, "/api/scans/") if "search" in link]
    assert len(web.get(twin).json()["neighbors"]) == 3


def test_the_page_says_what_it_retrieves_by_and_how_well_each_layer_does(web: httpx.Client, where: str) -> None:
    measured = web.get(f"/api{where}".replace("search", "retrieval")).json()
    page = web.get(where, params={"row": 4}).text
    assert f"<h2>By {measured['best']}</h2>" in page
    assert "the best measured layer" in page and "Under each: the share of random pairs" in page
    for space, scores in measured["spaces"].items():
        row = re.search(rf"<tr[^>]*>\s*<th scope=\"row\"><a [^>]*layer={space}\".*?</tr>", page, re.S)
        assert row is not None and f"{scores['label']['value']:.3f}" in row[0], space
        assert ("best layer" in row[0]) == (space == measured["best"])
        assert ("number worse" in row[0]) == (space in measured["worse_than_pixels"])


def test_a_space_that_does_worse_than_raw_pixels_carries_a_red_note(web: httpx.Client, where: str) -> None:
    worse = web.get(f"/api{where}".replace("search", "retrieval")).json()["worse_than_pixels"]
    for layer in ("conv1", "conv3", "conv5", "counts"):
        page = web.get(where, params={"row": 4, "layer": layer}).text
        assert ("worse than raw pixels</b>" in page) == (layer in worse)


def test_other_spaces_stand_beside_on_demand_and_random_init_is_a_scan_away(web: httpx.Client, where: str) -> None:
    page = web.get(where, params={"row": 4}).text
    assert 'id="beside-' not in page
    (more,) = [link for link in links(page, "beside=pixels") if "search" in link]
    with_pixels = web.get(more).text
    assert "By raw pixels</a></h3>" in with_pixels
    assert len(tiles_of(with_pixels)) > len(tiles_of(page))
    shown = web.get(where, params={"row": 4, "beside": "pixels,colours,random-init"}).text
    assert re.findall(r'id="beside-([a-z-]+)"', shown) == ["pixels", "colours", "random-init"]
    assert 'name="checkpoint" value="random-init"' in shown and "Scan it" in shown


def test_what_was_seen_in_training_is_left_out_and_marked_where_it_is_asked_for(web: httpx.Client, where: str) -> None:
    unseen = web.get(where, params={"row": 4, "k": 39}).text
    assert "seen-badge" not in unseen.partition('class="grid')[2]
    assert "only unseen ones are shown" in unseen
    (every,) = [link for link in links(unseen, "seen=all") if not link.startswith("/api")]
    shown = web.get(every).text
    assert shown.count("seen-badge") >= 31 and "only unseen ones</a>" in shown


@pytest.mark.parametrize(
    ("query", "status"), [("row=4000", 404), ("row=x", 422), ("row=1&k=0", 422), ("row=1&layer=conv9", 422)]
)
def test_a_bad_address_is_a_page_that_says_why(web: httpx.Client, where: str, query: str, status: int) -> None:
    page = web.get(f"{where}?{query}", headers={"Accept": "text/html"})
    assert page.status_code == status and "text/html" in page.headers["content-type"]


def test_while_the_network_is_loaded_the_page_says_so_and_comes_back(
    server: Server, web: httpx.Client, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.services.search, "_predictor", Predictor(server.services.settings))
    page = web.get(where, params={"row": 0, "box": "5,5,60,60"})
    assert page.status_code == 503 and page.headers["retry-after"]
    assert 'http-equiv="refresh"' in page.text and "being loaded" in page.text


def test_an_empty_form_field_is_no_value(web: httpx.Client, where: str) -> None:
    assert web.get(f"{where}?row=1&box=&layer=&upload=").status_code == 200


def test_a_name_is_shown_as_text_and_not_as_markup(web: httpx.Client, where: str) -> None:
    page = web.get(where, params={"row": 1, "box": "<script>alert(1)</script>"}, headers={"Accept": "text/html"})
    assert page.status_code == 422 and "<script>alert" not in page.text


@pytest.mark.usefixtures("predictor")
def test_an_uploaded_image_has_an_address_of_its_own(web: httpx.Client, workspace: Workspace, where: str) -> None:
    source = next(workspace.photos.rglob("*.jpg")).read_bytes()
    answer = web.post(f"{where}?layer=conv5&k=5&seen=all", files={"file": ("x.jpg", source)})
    assert answer.status_code == 303
    page = web.get(answer.headers["location"])
    assert page.status_code == 200 and distances(page.text)[0] == pytest.approx(0, abs=1e-3)
    again = web.post(f"{where}?layer=conv5&k=5&seen=all", files={"file": ("other-name.jpg", source)})
    assert again.headers["location"] == answer.headers["location"]
    (picture,) = set(re.findall(r'src="(/uploads/[0-9a-f]{64}\.jpg)"', page.text))
    served = web.get(picture)
    assert served.headers["content-type"] == "image/jpeg"
    assert served.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in served.headers["content-security-policy"]
    assert web.get(f"/uploads/{'0' * 64}.jpg").status_code == 404
    assert web.get("/uploads/..%2f..%2ftessera.db.jpg").status_code == 404


@pytest.mark.usefixtures("predictor")
def test_a_drag_over_the_query_searches_by_that_region(tab: Page, where: str) -> None:
    tab.goto(f"{where}?row=4&layer=conv5&k=5")
    image = tab.locator("region-select")
    image.scroll_into_view_if_needed()
    frame = image.bounding_box()
    assert frame is not None
    tab.mouse.move(frame["x"] + 0.2 * frame["width"], frame["y"] + 0.2 * frame["height"])
    tab.mouse.down()
    tab.mouse.move(frame["x"] + 0.7 * frame["width"], frame["y"] + 0.6 * frame["height"], steps=4)
    tab.mouse.up()
    tab.wait_for_url(re.compile("box="))
    x0, y0, x1, y1 = (float(edge) for edge in re.split(",|%2C", tab.url.split("box=")[1].split("&")[0]))
    assert abs((x1 - x0) - (y1 - y0)) <= 1 and x1 - x0 > 20
    expect(tab.get_by_role("link", name="Whole image")).to_be_visible()
    assert tab.locator(".overlay .seen").count() == 1


def test_choosing_another_layer_shows_it_at_once(tab: Page, where: str) -> None:
    tab.goto(f"{where}?row=4&layer=conv5")
    tab.get_by_label("Layer").select_option("conv1")
    tab.wait_for_url(re.compile("layer=conv1"))
    expect(tab.locator(".lead")).to_contain_text("conv1 vectors")


@pytest.mark.usefixtures("predictor")
def test_a_chosen_file_is_sent_without_another_click(tab: Page, workspace: Workspace, where: str) -> None:
    tab.goto(where)
    tab.set_input_files("main input[type=file]", next(workspace.photos.rglob("*.jpg")))
    tab.wait_for_url(re.compile("upload="))
    expect(tab.get_by_role("heading", name=re.compile("^By "), level=2)).to_be_visible()
