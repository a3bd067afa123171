"""The pages of checkpoints and filters: complete without JavaScript, and honest about scale and noise."""

import re
from html import unescape

import httpx
import pytest

from tests.conftest import Client
from tests.making import CHANNELS, Workspace


@pytest.fixture(scope="module")
def filters(web: httpx.Client, workspace: Workspace) -> str:
    return web.get(f"/checkpoints/{workspace.checkpoint}/filters").text


def order(page: str, panel: str = "trained") -> list[int]:
    """The filter numbers of a panel as the page shows them."""
    section = page.split(f'id="{panel}"')[1].split("</section>")[0]
    return [int(number) for number in re.findall(r'filter-number">(\d+)<', section)]


def test_a_workspace_without_checkpoints_offers_a_way_to_one(client: Client) -> None:
    page = client.get("/checkpoints")
    assert page.status_code == 200
    assert "No checkpoints yet" in page.text and "/jobs#train" in page.text


def test_the_list_leads_to_card_filters_and_counting_bench(web: httpx.Client, workspace: Workspace) -> None:
    page = web.get("/checkpoints").text
    for tail in ("", "/filters", "/count"):
        assert f'href="/checkpoints/{workspace.checkpoint}{tail}"' in page


def test_the_card_shows_layers_controls_curves_and_origin(web: httpx.Client, workspace: Workspace) -> None:
    page = unescape(web.get(f"/checkpoints/{workspace.checkpoint}").text)
    for text in ("Receptive field", "random init", "averager", "constant", "Additivity ratio", workspace.gallery):
        assert text in page
    assert "images that training never saw" in page and ", n = " in page
    assert '<figure class="chart">' in page
    assert f"/scans/{workspace.scan}" in page
    assert f'value="{workspace.gallery}"' in page  # what can be scanned next


def test_every_filter_is_on_the_page_with_its_norm(filters: str) -> None:
    assert sorted(order(filters)) == list(range(CHANNELS[0]))
    assert order(filters) == order(filters, "step0")  # the same place, so that both can be compared
    for panel in ("trained", "step0"):
        section = filters.split(f'id="{panel}"')[1].split("</section>")[0]
        assert section.count("data:image/png;base64,") == CHANNELS[0]
    assert len(re.findall(r'filter-norm" title="norm">‖[\d.]+‖', filters)) == 2 * CHANNELS[0]


def test_the_page_says_whether_the_filters_beat_noise(filters: str) -> None:
    assert "not clearly smoother than noise" in filters
    assert filters.count("median total-variation ratio") >= 2  # now and at the start


def test_one_scale_is_the_default_and_the_other_comes_with_a_warning(
    web: httpx.Client, workspace: Workspace, filters: str
) -> None:
    warning = "noise looks like structure"
    assert warning not in filters and "same scale" in filters
    assert warning in web.get(f"/checkpoints/{workspace.checkpoint}/filters?scale=own").text


def test_filters_come_by_their_change_beside_their_start_and_k_means(
    filters: str, web: httpx.Client, workspace: Workspace
) -> None:
    change = web.get(f"/api/checkpoints/{workspace.checkpoint}/filters").json()["relative_change"]
    shown = [change[number] for number in order(filters)]
    assert shown == sorted(shown, reverse=True)
    assert "At the start" in filters and "K-means of whitened patches" in filters and "Training changed" in filters


@pytest.mark.parametrize("sort", ["norm", "colourfulness", "orientation_energy", "smoothness", "filter"])
def test_the_address_chooses_the_order(web: httpx.Client, workspace: Workspace, sort: str) -> None:
    page = web.get(f"/checkpoints/{workspace.checkpoint}/filters?sort={sort}").text
    measures = web.get(f"/api/checkpoints/{workspace.checkpoint}/filters").json()["measures"]
    values = {"smoothness": [-value for value in measures["tv_ratio"]], "filter": [-n for n in range(CHANNELS[0])]}
    keys = values.get(sort) or measures[sort]
    shown = [keys[number] for number in order(page)]
    assert shown == sorted(shown, reverse=True)
    assert re.search(rf'sort={sort}&(amp;)?scale=common" aria-current="true"', page)


@pytest.mark.parametrize("path", ["/checkpoints/nothing", "/checkpoints/nothing/filters"])
def test_an_unknown_checkpoint_is_a_page_that_says_so(client: Client, path: str) -> None:
    answer = client.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html") and "There is no checkpoint" in answer.text


def test_an_order_that_does_not_exist_is_422(web: httpx.Client, workspace: Workspace) -> None:
    answer = web.get(f"/checkpoints/{workspace.checkpoint}/filters?sort=beauty", headers={"accept": "text/html"})
    assert answer.status_code == 422
