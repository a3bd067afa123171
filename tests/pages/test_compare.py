"""A against B: one click away from a card, and honest about what both were measured on."""

from html import unescape

import httpx
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
