"""The page of tuning curves, over scans by networks of which it is known what they follow."""

import re
from html import unescape
from typing import NamedTuple

import httpx
import numpy as np
import pytest

from app.settings import Settings
from models.counting import predictors
from models.counting.predictors import Predictors
from tests.conftest import Client, application
from tests.making import Workspace, run_jobs
from tests.scenes import GALLERY, MIXED, SEEDS, squares, write_gallery, write_scan


def counter(known: Predictors) -> np.ndarray:
    """Unit 0 counts objects, unit 2 measures a little area, unit 1 is dead."""
    noise = 1 + 0.02 * np.random.default_rng(0).normal(size=len(known))
    return np.column_stack([known.number * noise, 0 * known.number, 0.3 * known.area])


def measurer(known: Predictors) -> np.ndarray:
    """One unit that measures area, and counts empty ground as .01."""
    return (known.area + 0.01)[:, None]


class Scanned(NamedTuple):
    client: Client
    counter: str
    plain: str


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """A counter and an untrained network over the same squares; a scan that was made before scenes were measured."""
    settings = Settings(workspace=tmp_path_factory.mktemp("tuning"))
    app = application(settings)
    services = app.state.services
    pack = write_gallery(services)
    plain = write_scan(services, pack, measurer, checkpoint="plain", measured=False)
    write_scan(services, pack, measurer, checkpoint="random-init")
    return Scanned(Client(app), write_scan(services, pack, counter), plain)


def api(scanned: Scanned, scan: str) -> dict:  # type: ignore[type-arg]
    answer = scanned.client.get(f"/api/scans/{scan}/tuning")
    assert answer.status_code == 200
    return answer.json()  # type: ignore[no-any-return]


def test_a_network_that_counts_is_said_to_count(scanned: Scanned) -> None:
    first, edges, random = api(scanned, scanned.counter)["sentences"]
    assert first.startswith("The total follows number more than object size (ρ ")
    assert first.endswith("empty ground counts 0.0 [0.0, 0.0].")
    assert edges.startswith("The total differs from edge energy in how it follows size")
    assert random.startswith("Random init's total follows object size more than number")


def test_the_numbers_are_those_of_the_scan(scanned: Scanned) -> None:
    answer = api(scanned, scanned.counter)
    sweep = answer["sweeps"]["number-fixed-size"]
    assert sweep["levels"] == [0, 1, 2, 4] and sweep["seeds"] == SEEDS
    reader = scanned.client.app.state.services.scans.open(scanned.counter).reader
    totals = reader.embeddings("counts").sum(axis=1)
    assert sweep["series"]["total"]["values"] == pytest.approx(totals[np.array(sweep["rows"])].mean(axis=0), rel=1e-5)
    assert sweep["series"]["total"]["power"]["value"] == pytest.approx(1, abs=0.05)
    assert answer["active_units"] == [0, 2], "the dead unit is not among them"


def test_edge_energy_follows_outlines_by_hand(scanned: Scanned) -> None:
    """Four squares of 12 have twice the outline of one of 24; one of 24 half more than one of 16."""
    answer = api(scanned, scanned.counter)
    one, four = answer["sweeps"]["number-fixed-area"]["series"]["edge energy"]["values"]
    assert four / one == pytest.approx(2, rel=0.1)
    sizes = answer["sweeps"]["size"]["series"]["edge energy"]["values"]
    assert sizes[2] / sizes[1] == pytest.approx(1.5, rel=0.1)
    assert answer["sweeps"]["size"]["series"]["edge energy"]["power"]["value"] == pytest.approx(0.5, abs=0.08)


def test_every_row_of_a_sweep_has_the_level_it_is_listed_under(scanned: Scanned) -> None:
    scenes = list(squares())
    for name, sweep in api(scanned, scanned.counter)["sweeps"].items():
        for line in sweep["rows"]:
            assert [scenes[row].level for row in line] == sweep["levels"] and scenes[line[0]].sweep == name
            assert len({scenes[row].seed for row in line}) == 1, "one seed a line"


def test_on_mixed_scenes_number_is_left_when_area_and_edges_are_held(scanned: Scanned) -> None:
    mixed = api(scanned, scanned.counter)["mixed"]
    total, random, *units = mixed["correlations"]
    assert mixed["n"] == total["n"] == MIXED and total["name"] == "total" and random["name"] == "random init"
    assert total["number"]["partial"]["interval"][0] > 0.8
    assert random["area"]["partial"] is None or random["area"]["partial"]["value"] > 0.9
    assert units[0]["unit"] == 0 and units[0]["n"] == MIXED // 2, "chosen on one half, measured on the other"


def test_the_page_says_what_its_twin_says_and_shows_every_sweep(scanned: Scanned) -> None:
    page = scanned.client.get(f"/scans/{scanned.counter}/tuning")
    assert page.status_code == 200
    answer = api(scanned, scanned.counter)
    for sentence in answer["sentences"]:
        assert sentence in unescape(page.text)
    for name in answer["sweeps"]:
        assert f'id="{name}"' in page.text
    assert page.text.count('class="film') == len(answer["sweeps"]) == 5
    row = answer["sweeps"]["size"]["rows"][0][2]
    assert f"/api/galleries/{GALLERY}/images/{row}/thumbnail" in page.text
    shown = re.sub(r"<title>.*?</title>|<nav.*?</nav>", "", page.text, flags=re.S)
    assert "random-init" not in shown, "nothing left to start"


def test_another_seed_shows_other_scenes_of_the_same_levels(scanned: Scanned) -> None:
    address = f"/scans/{scanned.counter}/tuning"
    shown = [
        re.findall(r"images/(\d+)/thumbnail", scanned.client.get(f"{address}?seed={seed}").text)
        for seed in (0, 1, SEEDS)
    ]
    assert shown[0] == shown[2] and not set(shown[0]) & set(shown[1])


def test_a_unit_takes_the_place_of_the_total(scanned: Scanned) -> None:
    page = scanned.client.get(f"/scans/{scanned.counter}/tuning?unit=2&sort=size")
    assert page.status_code == 200 and "Top images of unit 2" in page.text
    assert 'Size of one object: unit 2, edge energy, random init"' in page.text


def test_units_are_sorted_by_what_they_follow(scanned: Scanned) -> None:
    def order(sort: str) -> list[str]:
        page = scanned.client.get(f"/scans/{scanned.counter}/tuning?sort={sort}").text
        return re.findall(
            r'<th scope="row"><a href="[^"]*unit=(\d+)', page.partition('id="units"')[2].partition('id="mixed"')[0]
        )

    assert order("unit") == ["0", "2"]
    assert order("size") == ["2", "0"] and order("number-fixed-area") == ["0", "2"]


def test_what_is_missing_is_said_and_one_click_away(scanned: Scanned) -> None:
    page = scanned.client.get(f"/scans/{scanned.plain}/tuning").text
    assert "Measure the scenes" in page and f'action="/scans/{scanned.plain}/tuning/measure"' in page
    answer = api(scanned, scanned.plain)
    assert "edge energy" not in answer["series"] and answer["mixed"]["correlations"] == []


def test_the_scan_leads_to_its_tuning_curves(scanned: Scanned) -> None:
    assert f'href="/scans/{scanned.counter}/tuning"' in scanned.client.get(f"/scans/{scanned.counter}").text


def test_a_unit_that_is_dead_or_not_there_is_not_found(scanned: Scanned) -> None:
    for unit in (1, 99):
        answer = scanned.client.get(f"/scans/{scanned.counter}/tuning?unit={unit}")
        assert answer.status_code == 404 and "not among the 2 active ones" in answer.text
    assert scanned.client.get(f"/scans/{scanned.counter}/tuning?unit=x").status_code == 422


def test_an_unknown_scan_is_not_found(scanned: Scanned) -> None:
    assert scanned.client.get("/api/scans/nothing/tuning").status_code == 404


def test_photos_have_no_tuning_curves(web: httpx.Client, workspace: Workspace) -> None:
    answer = web.get(f"/api/scans/{workspace.scan}/tuning")
    assert answer.status_code == 409 and answer.json()["error"]["code"] == "no_sweeps"
    assert "/tuning" not in web.get(f"/scans/{workspace.scan}").text


@pytest.mark.torch
def test_a_scan_job_measures_the_scenes_it_saw(scanned: Scanned, workspace: Workspace) -> None:
    """A real network over the squares: the job leaves what the page needs beside the scan."""
    services = scanned.client.app.state.services
    checkpoint = services.checkpoints.register_folder(workspace.path / "checkpoints" / workspace.checkpoint)
    job, _ = services.jobs.submit("scan", {"checkpoint": checkpoint.slug, "gallery": GALLERY, "layers": ["counts"]})
    run_jobs(services)
    reader = services.scans.open(job.output.slug).reader
    known = predictors.load(reader.folder, reader.rows)
    assert known is not None and known.number.max() <= 4
    answer = api(scanned, job.output.slug)
    assert answer["series"][:3] == ["total", "edge energy", "random init"]
    assert scanned.client.get(f"/scans/{job.output.slug}/tuning").status_code == 200
