"""A against B: one click away from a card, and honest about what both were measured on."""

from html import unescape

import httpx
import pytest
from playwright.sync_api import Page

from tests.conftest import Client, Server
from tests.making import Workspace


def test_from_a_card_to_the_comparison_is_one_click(tab: Page, server: Server, workspace: Workspace) -> None:
    tab.goto(f"{server.url}/checkpoints/{workspace.checkpoint}")
    tab.locator("nav.vs").get_by_role("link", name="random-init").click()
    tab.wait_for_url("**/compare?a=*&b=random-init")
    shown = tab.locator("h1").inner_text()
    assert "vs random-init" in shown
    assert tab.locator(".compared img").count() == 2


def test_the_comparison_shows_both_sides_and_what_is_missing(web: httpx.Client, workspace: Workspace) -> None:
    page = unescape(web.get(f"/compare?a={workspace.checkpoint}&b=random-init").text)
    assert f"A · {workspace.checkpoint}" in page and "B · random-init" in page
    assert "share one scale" in page
    assert f'href="/compare?a=random-init&b={workspace.checkpoint}' in page  # swap


def test_without_two_checkpoints_the_page_offers_a_choice(web: httpx.Client, client: Client) -> None:
    page = web.get("/compare").text
    assert '<select id="pick-a"' in page and "random-init" in page
    assert "Nothing to compare yet" in client.get("/compare").text


def test_the_card_shows_gates_in_words_beside_the_controls(web: httpx.Client, workspace: Workspace) -> None:
    page = unescape(web.get(f"/checkpoints/{workspace.checkpoint}?on=own").text)
    for text in ("of 7 gates passed", "at least 0.8", "not defined", "missed", "fire on more than 5 %", "random init"):
        assert text in page, text
    assert "Trained on × tested on" in page and "Another way to downscale" in page


def test_random_init_has_a_card_that_says_what_it_is(web: httpx.Client) -> None:
    page = unescape(web.get("/checkpoints/random-init").text)
    assert "never trained" in page and "Does it count?" in page


@pytest.mark.parametrize(
    "path",
    [
        "/checkpoints/{checkpoint}",
        "/checkpoints/{checkpoint}/filters",
        "/checkpoints/{checkpoint}/count",
        "/scans/{scan}",
        "/scans/{scan}/units/conv5",
        "/scans/{scan}/units/conv5/0",
        "/scans/{scan}/search",
        "/",
    ],
)
def test_wherever_one_checkpoint_is_shown_another_is_one_click_away(
    web: httpx.Client, workspace: Workspace, path: str
) -> None:
    page = web.get(path.format(checkpoint=workspace.checkpoint, scan=workspace.scan)).text
    assert f'href="/compare?a={workspace.checkpoint}&amp;b=random-init"' in page


def test_the_table_of_two_by_two_stands_on_the_bench_and_the_card(web: httpx.Client, workspace: Workspace) -> None:
    table = web.get("/api/trained-tested").json()["carry_over"]
    assert [row["trained_on"] for row in table["networks"]] == ["photos", "countables"]
    assert [row["name"] for row in table["controls"]] == ["random init", "averager"]
    assert table["networks"][0]["checkpoint"] == workspace.checkpoint
    for path in ("/count", ""):
        page = web.get(f"/checkpoints/{workspace.checkpoint}{path}").text
        assert "tested on photos" in page and "tested on countables" in page
