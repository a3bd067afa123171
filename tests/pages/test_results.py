"""The page of results: a table that can be read, gray where nothing is known, and a form that starts a probe."""

import re

import httpx
import pytest
from playwright.sync_api import Page

from tests.conftest import Server
from tests.making import Workspace, probe_both

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module", autouse=True)
def probed(server: Server, workspace: Workspace) -> None:
    probe_both(server.services, workspace)


def test_the_table_shows_scores_intervals_spread_and_controls(web: httpx.Client, workspace: Workspace) -> None:
    html = web.get("/results", params={"gallery": workspace.gallery}).text
    for words in (
        "raw pixels",
        "colour histogram",
        "HOG",
        "random init of alexnet",
        "A guess",
        "seeds ±",
        "less untrained",
    ):
        assert words in html
    assert f"<small>before {workspace.checkpoint}" in html  # which network the untrained one stands beside
    score = web.get("/api/results").json()["table"]["rows"][0]["scores"]["linear"]["conv1"]
    assert f"{100 * score['value']:.1f}" in html
    assert f"{100 * score['interval'][0]:.1f} to {100 * score['interval'][1]:.1f}" in html


def test_a_difference_that_may_be_nothing_is_gray(web: httpx.Client, workspace: Workspace) -> None:
    html = web.get("/results", params={"gallery": workspace.gallery, "a": "_hog", "b": "_hog"}).text
    cells = re.findall(r'<td class="number( unsure)?">\+0\.0', html)
    assert cells and all(cells)


def test_published_numbers_stand_apart_with_their_footnotes(web: httpx.Client) -> None:
    html = web.get("/results").text
    ours, _, papers = html.partition('id="published"')
    assert "Jigsaw++" not in ours and "not ours" in papers
    assert "CC + VGG" in papers and "69.8" in papers and "Rescaled" in papers and "single scale" in papers


def test_the_form_starts_a_probe(web: httpx.Client, server: Server, workspace: Workspace) -> None:
    sent = {"checkpoint": workspace.checkpoint, "gallery": workspace.gallery, "steps": "7"}
    answer = web.post("/start/probe", data=sent)
    assert answer.status_code == 303
    job = server.services.jobs.get(answer.headers["location"].rpartition("/")[2])
    assert (job.kind, job.spec["steps"]) == ("probe", 7)
    server.services.jobs.cancel(job.id)
    refused = web.post("/start/probe", data={**sent, "steps": "0"}, headers={"accept": "text/html"})
    assert refused.status_code == 422


def test_it_is_linked_from_where_one_looks_for_it(web: httpx.Client, workspace: Workspace) -> None:
    for path in ("/", f"/checkpoints/{workspace.checkpoint}", "/jobs"):
        assert 'href="/results' in web.get(path).text, path
    card = web.get(f"/checkpoints/{workspace.checkpoint}").text
    assert f"/results?gallery={workspace.gallery}" in card


def test_two_rows_are_chosen_and_compared_in_the_browser(tab: Page, workspace: Workspace) -> None:
    tab.goto(f"/results?gallery={workspace.gallery}")
    tab.get_by_label("A", exact=True).select_option(workspace.checkpoint)
    tab.get_by_label("B", exact=True).select_option("_colours")
    tab.get_by_role("button", name="Compare").click()
    assert f"a={workspace.checkpoint}" in tab.url and "b=_colours" in tab.url
    assert tab.get_by_text("Best layer of each").is_visible()
