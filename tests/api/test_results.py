"""The results of probes by REST: scores beside controls, paired differences, and what papers report kept apart."""

import csv
import io
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.probes import results as probe_results
from tests.api.asking import code
from tests.api.shapes import fits, natural, number, one_of, or_null, share
from tests.conftest import Client, Server
from tests.making import Workspace, probe_both

pytestmark = pytest.mark.torch

SCORE = {"value": share, "interval": [share], "n": natural, "spread": or_null(number), "seeds": [share]}


@pytest.fixture(scope="module", autouse=True)
def place(server: Server, workspace: Workspace) -> Path:
    return probe_both(server.services, workspace)


def table(web: httpx.Client, **query: str) -> dict[str, Any]:
    found: dict[str, Any] = web.get("/api/results", params=query).json()
    return found


def test_a_row_a_checkpoint_and_a_column_a_layer(web: httpx.Client, workspace: Workspace) -> None:
    found = table(web, gallery=workspace.gallery)["table"]
    assert found["columns"] == {"linear": ["conv1", "counts"], "knn": ["conv1", "counts"]}
    rows = {row["row"]: row for row in found["rows"]}
    assert list(rows)[:2] == sorted([workspace.checkpoint, "random-init"])
    for how in ("linear", "knn"):
        fits(rows[workspace.checkpoint]["scores"][how]["conv1"], SCORE)
        assert rows["_hog"]["scores"][how] is None
        fits(rows["_hog"]["whole"][how], SCORE)
    assert rows[workspace.checkpoint]["frozen"] is True
    assert 0 < found["chance"] < 1 and found["images"]["tested"] == rows["_hog"]["whole"]["knn"]["n"]
    assert web.get(found["links"]["self"]).json()["table"] == found
    assert web.get(rows["random-init"]["links"]["checkpoint"]).status_code == 200


def test_a_difference_is_of_the_same_images(web: httpx.Client, workspace: Workspace, place: Path) -> None:
    found = table(web, gallery=workspace.gallery, a=workspace.checkpoint, b="random-init")["comparison"]
    line = next(line for line in found["differences"] if (line["how"], line["a"]) == ("linear", "conv1"))
    hits = [
        probe_results.read_outcomes(place / row)["linear/conv1"].mean() for row in (workspace.checkpoint, "random-init")
    ]
    assert line["value"] == pytest.approx(hits[0] - hits[1])
    assert line["interval"][0] <= line["value"] <= line["interval"][1]
    assert line["beyond_chance"] == (line["interval"][0] > 0 or line["interval"][1] < 0)
    assert {line["how"] for line in found["differences"] if line["mcnemar"]} == {"knn"}


def test_every_checkpoint_is_compared_with_itself_before_training(web: httpx.Client, workspace: Workspace) -> None:
    found = table(web, gallery=workspace.gallery)["table"]
    rows = {row["row"]: row for row in found["rows"]}
    before = next(name for name in rows[workspace.checkpoint]["controls"] if name.startswith("_random"))
    whole = table(web, gallery=workspace.gallery, a=workspace.checkpoint, b=before)["comparison"]
    assert rows[workspace.checkpoint]["less_untrained"] == whole["best"]
    assert rows["_hog"]["less_untrained"] is None and rows[before]["less_untrained"] is None


def test_a_row_against_itself_differs_by_nothing(web: httpx.Client, workspace: Workspace) -> None:
    found = table(web, gallery=workspace.gallery, a="_hog", b="_hog")["comparison"]
    assert all(line["value"] == 0 and not line["beyond_chance"] for line in found["differences"])


def test_a_control_with_one_score_is_compared_with_every_layer(web: httpx.Client, workspace: Workspace) -> None:
    found = table(web, gallery=workspace.gallery, a=workspace.checkpoint, b="_pixels")["comparison"]
    assert [(line["a"], line["b"]) for line in found["differences"][:2]] == [("conv1", "pixels"), ("counts", "pixels")]


def test_what_papers_report_is_not_among_our_rows(web: httpx.Client) -> None:
    found = table(web)
    ours = {row["name"] for row in found["table"]["rows"]}
    assert not ours & {row["method"] for row in found["published"]["voc"]}
    row = next(row for row in found["published"]["voc"] if row["method"].startswith("Jigsaw++"))
    assert (row["all"], row["detection"], row["segmentation"]) == (72.5, 56.5, 42.6)
    assert "VGG-16" in found["published"]["notes"][row["notes"][0]]
    assert all(set(row["notes"].split()) <= set(found["published"]["notes"]) for row in found["published"]["voc"])


def test_the_csv_has_the_same_numbers(web: httpx.Client, workspace: Workspace) -> None:
    answer = web.get("/api/results.csv", params={"gallery": workspace.gallery})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    found = table(web, gallery=workspace.gallery)["table"]
    assert [line["row"] for line in lines] == [row["row"] for row in found["rows"]]
    for line, row in zip(lines, found["rows"], strict=True):
        score = (row["scores"]["linear"] or {}).get("conv1") or row["whole"]["linear"]
        assert float(line["linear conv1"]) == pytest.approx(score["value"], abs=1e-4)
        assert line["seeds"] == "0 1 2"


def test_rows_of_other_images_are_not_compared(web: httpx.Client, workspace: Workspace, place: Path) -> None:
    """A row whose stamp is another: what a gallery that has grown leaves behind."""
    text = (place / "_hog" / probe_results.RESULT).read_text()
    found = probe_results.read(place / "_hog")
    assert found is not None
    stale = place / "_hog" / probe_results.RESULT
    try:
        stale.write_text(text.replace(found.stamp, "0" * 16))
        answer = web.get("/api/results", params={"gallery": workspace.gallery, "a": "random-init", "b": "_hog"})
        assert code(answer) == (409, "other_images")
    finally:
        stale.write_text(text)


@pytest.mark.parametrize("query", [{"gallery": "nowhere"}, {"protocol": "0"}, {"a": "../..", "b": "_hog"}])
def test_what_was_not_probed_is_not_found(web: httpx.Client, query: dict[str, str]) -> None:
    assert web.get("/api/results", params=query).status_code == 404


def test_a_workspace_without_probes_has_no_table(client: Client) -> None:
    assert client.get("/api/results").json()["table"] is None
    assert client.get("/api/results.csv").text.count("\n") == 1
    assert client.get("/results").status_code == 200


def test_controls_alone_are_no_table_yet(server: Server, workspace: Workspace, place: Path) -> None:
    """What a first probe has written while it still runs."""
    begun = place.parent / "0123456789ab"
    shutil.copytree(place / "_hog", begun / "_hog")
    try:
        keys = [choice.protocol.key for choice in server.services.results.choices()]
        assert keys == [place.name] and server.services.results.table(workspace.gallery) is not None
    finally:
        shutil.rmtree(begun)


def test_a_network_that_changed_says_so(server: Server, workspace: Workspace, place: Path) -> None:
    path = place / workspace.checkpoint / probe_results.RESULT
    text, found = path.read_text(), probe_results.read(place / workspace.checkpoint)
    assert found is not None
    try:
        path.write_text(re.sub(r'("after": ?)"\w+"', r'\1"other"', text))
        results = server.services.results.table(workspace.gallery)
        assert "changed" in results.row(workspace.checkpoint).warning
    finally:
        path.write_text(text)
    assert one_of("", f"{found.seen} of its test images were seen in training")(
        server.services.results.table(workspace.gallery).row(workspace.checkpoint).warning
    )
