"""The first page: what is there, and the next step one click away."""

import io
import re
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page
from sqlalchemy import select

from app.services.counting.service import gallery_image
from app.services.home.first_screen import DRAWN, counting_checkpoint
from app.store.tables import Base, CheckpointRow, GalleryRow, JobRow, ScanRow
from app.web.axes import axis_over
from app.web.charts import bar_chart, histogram, line_chart
from app.web.formats import ago, coded, count, duration, file_size, number, percent
from tests.conftest import Client, Server
from tests.making import photo


def add(client, *rows: Base) -> None:
    with client.app.state.services.store.write() as session:
        session.add_all(rows)


def gallery(rows: int = 600) -> GalleryRow:
    return GalleryRow(slug="birds", name="Birds <i>", source={}, folder="galleries/birds", rows=rows)


def checkpoint(name: str = "net") -> CheckpointRow:
    where = f"checkpoints/{name}"
    return CheckpointRow(slug=name, name=name, folder=where, sha256="0" * 64, architecture="alexnet", task="counting")


def scan() -> ScanRow:
    return ScanRow(
        slug="net-on-birds", checkpoint="net", gallery="birds", folder="s", rows=600, layers=["a"], done=True
    )


def job(kind: str, state: str, **progress: int) -> JobRow:
    return JobRow(kind=kind, spec={}, inputs={}, identity=kind + state, state=state, lane="light", progress=progress)


def test_an_empty_workspace_offers_photos(client: Client) -> None:
    page = client.get("/").text
    assert "Start with photos" in page and 'action="/start/sample"' in page and 'href="/galleries#import"' in page
    assert client.get("/api").json()["next_step"] == "import"


def test_while_photos_come_in_the_page_says_so(client: Client) -> None:
    add(client, gallery(rows=0), job("import", "running", step=30, total=120))
    page = client.get("/").text
    assert "Work is under way" in page and 'value="0.25"' in page and "25 %" in page


def test_photos_without_a_network_offer_a_training(client: Client) -> None:
    add(client, gallery())
    assert client.get("/api").json()["next_step"] == "train"
    assert "Train a network" in client.get("/").text


def test_photos_and_a_network_offer_a_scan(client: Client) -> None:
    add(client, gallery(), checkpoint())
    page = client.get("/").text
    assert client.get("/api").json()["next_step"] == "scan"
    assert 'name="checkpoint" value="net"' in page and 'name="gallery" value="birds"' in page


def test_a_scan_is_there_to_be_explored(client: Client) -> None:
    add(client, gallery(), checkpoint(), scan())
    page = client.get("/").text
    assert client.get("/api").json()["next_step"] == "explore"
    for path in ("/scans/net-on-birds", "/scans/net-on-birds/search", "/checkpoints/net/count"):
        assert f'href="{path}"' in page
    assert "Scan birds with net" in page  # its files are gone: the panels offer to make them anew


def test_the_first_screen_is_about_the_scan_there_is(web: httpx.Client, server: Server) -> None:
    panels = web.get("/api").json()["panels"]
    used = server.workspace
    assert (panels["checkpoint"], panels["gallery"], panels["scan"]) == (used.checkpoint, used.gallery, used.scan)
    assert web.get("/api?scan=nothing").status_code == 404


def test_an_own_photo_is_counted_by_the_network_that_learned_from_photos(client: Client) -> None:
    add(client, checkpoint("counting-photos"), checkpoint("counting-countables"))
    assert counting_checkpoint(client.app.state.services) == "counting-photos"


def test_the_first_picture_is_typical_of_those_that_were_drawn(web: httpx.Client, server: Server) -> None:
    """Half of the others miss their sum by more, half by less; a row that is asked for is typical of nothing."""
    shown = web.get("/api").json()["panels"]["image"]
    errors = server.services.scans.open(server.workspace.scan).reader.equation.relative
    drawn = {int(row) for row in np.random.default_rng(0).integers(len(errors), size=DRAWN)}
    assert shown["row"] in drawn and shown["typical_of"] == len(drawn)
    less = sum(errors[row] < errors[shown["row"]] for row in drawn)
    assert less == len(drawn) // 2
    assert web.get("/api?row=3").json()["panels"]["image"] == {"row": 3, "upload": None, "typical_of": None}


def test_names_are_escaped(client: Client) -> None:
    add(client, gallery())
    assert "Birds &lt;i&gt;" in client.get("/").text


def test_the_sample_button_submits_an_import_and_shows_its_job(client: Client) -> None:
    answer = client.post("/start/sample")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs/1")
    jobs = client.get("/api").json()["jobs"]
    assert jobs["states"] == {"queued": 1} and jobs["newest"][0]["kind"] == "import"
    assert client.post("/start/sample").headers["location"] == "/jobs/1"  # a second click makes no second job


def test_scanning_what_is_not_there_is_not_found(client: Client) -> None:
    assert client.post("/start/scan", data={"checkpoint": "no", "gallery": "no"}).status_code == 404


def test_the_json_twin_counts_and_links(client: Client) -> None:
    add(client, gallery(), checkpoint(), scan(), job("import", "done"), job("train", "failed"))
    answer = client.get("/api").json()
    assert [answer[kind]["count"] for kind in ("galleries", "checkpoints", "scans", "jobs")] == [1, 1, 1, 2]
    first = answer["galleries"]["newest"][0]
    assert first["links"] == {"self": "/api/galleries/birds", "page": "/galleries/birds"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["created_at"])


def test_unfinished_jobs_come_first(client: Client) -> None:
    add(client, job("import", "running"), job("scan", "queued"), job("train", "done"))
    newest = client.get("/api").json()["jobs"]["newest"]
    assert [item["state"] for item in newest] == ["running", "queued", "done"]


def test_health_tells_one_run_from_another_and_nothing_else(client: Client) -> None:
    answer = client.get("/healthz").json()
    assert answer["status"] == "ok" and set(answer) == {"status", "version", "instance"}


def test_metrics_count_answers_and_jobs(client: Client) -> None:
    client.get("/api/nowhere")
    add(client, job("import", "running"))
    text = client.get("/metrics").text
    assert 'tessera_requests_total{method="GET",status="404"} 1' in text
    assert 'tessera_jobs{state="running"} 1' in text
    assert all(re.fullmatch(r"(# .+)|([a-z_]+(\{[^}]*\})? [-+0-9.e]+)", line) for line in text.splitlines())


def test_the_reference_shows_every_address_of_the_interface(client: Client) -> None:
    page = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert f"<code>{path}</code>" in page or not path.startswith("/api")
    assert "cdn" not in page


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_carries_neither_inline_script_nor_style(client: Client, path: str) -> None:
    page = client.get(path).text
    assert "<style" not in page and not re.search(r"<script(?![^>]*src=)", page) and " onclick=" not in page


@pytest.mark.usefixtures("predictor")
def test_the_numbers_of_the_first_screen_are_those_of_the_network(web: httpx.Client, server: Server) -> None:
    used, services = server.workspace, server.services
    panels = web.get("/api?row=5").json()["panels"]
    image = gallery_image(used.gallery, services.galleries.pack(used.gallery), 5)
    counted = services.counting.count(services.checkpoints.open(used.checkpoint), image)
    count = panels["count"]
    assert count["tiles"] == pytest.approx(counted.answer.tiles.sum(axis=1).tolist())
    assert count["sum"] == pytest.approx(sum(count["tiles"]), rel=1e-5)
    assert count["ratio"] == pytest.approx(counted.answer.whole.sum() / counted.answer.tiles.sum(), rel=1e-5)
    page = web.get("/?row=5").text
    assert f"<b>{count['ratio']:.2f}</b>" in page and number(count["whole"]) in page


def test_units_stand_out_by_their_distance_from_the_usual(web: httpx.Client, server: Server) -> None:
    found = web.get("/api?row=5").json()["panels"]["units"]
    embeddings = server.services.scans.open(server.workspace.scan).reader.embeddings(found["layer"]).astype("float32")
    scores = (embeddings[5] - embeddings.mean(axis=0)) / np.maximum(embeddings.std(axis=0), 1e-12)
    for unit in found["units"]:
        assert unit["score"] == pytest.approx(scores[unit["unit"]], abs=0.02)
    best = [unit["score"] for unit in found["units"] if unit["chosen"] == "activity"]
    rest = [unit["score"] for unit in found["units"] if unit["chosen"] == "random"]
    assert best == sorted(best, reverse=True) and min(best) >= max(rest)


def test_reshuffling_draws_other_units_and_leaves_the_rest(web: httpx.Client) -> None:
    first, second = (web.get(f"/api?row=5&shuffle={seed}").json()["panels"] for seed in (0, 1))
    drawn = [[unit["unit"] for unit in panels["units"]["units"]] for panels in (first, second)]
    assert drawn[0][:3] == drawn[1][:3] and drawn[0][3:] != drawn[1][3:]


def test_before_the_first_scan_the_panels_say_what_is_missing(client: Client) -> None:
    add(client, gallery(rows=0), checkpoint(), job("import", "running", step=30, total=120))
    with client.app.state.services.store.write() as session:
        session.scalars(select(GalleryRow)).one().job_id = session.scalars(select(JobRow)).one().id
    panels = client.get("/api").json()["panels"] if client.get("/").status_code == 200 else None
    assert panels is not None and panels["units"] == {"waiting": True, "reason": None}


def test_a_photo_without_a_network_says_what_is_missing(client: Client) -> None:
    sink = io.BytesIO()
    photo(3).save(sink, "JPEG")
    answer = client.post("/photo", files={"file": ("own.jpg", sink.getvalue())})
    assert answer.status_code == 409 and "train one" in answer.text


def test_the_page_is_well_behaved_in_a_browser(server: Server, tab: Page) -> None:
    for width in (1280, 390):
        tab.set_viewport_size({"width": width, "height": 800})
        tab.goto("/")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        if width == 1280:
            assert tab.locator(".look .panel").count() == 4
            assert tab.evaluate("document.querySelector('.look').getBoundingClientRect().bottom") <= 800  # the fold
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to content"
    tab.get_by_role("link", name="Explore the scan").click()
    tab.wait_for_url(f"**/scans/{server.workspace.scan}")


def test_a_line_with_a_hole_is_drawn_in_two_parts() -> None:
    drawn = line_chart({"loss": [(0, 1), (1, 2), (2, float("nan")), (3, 1), (4, 0)]})
    assert drawn.count("M") == 2 and "nan" not in drawn


def test_a_level_lies_where_its_value_does_and_widens_the_axis() -> None:
    drawn = line_chart({"push": [(0, 0.0), (1, 0.1), (2, 1.0)]}, log_y=True, levels={"collapsed": 10.0}, low=0.001)
    assert '<span class="level under" style="bottom:100.00%"><b>collapsed</b>' in drawn
    assert 'd="M0.0 1000.0L0.0 1000.0L500.0 500.0L1000.0 250.0"' in drawn  # 0 at the bottom, then two and one decades


def test_a_logarithmic_axis_of_one_decade_has_ticks_between() -> None:
    assert axis_over([5, 30], log=True).ticks() == [5, 10, 20]
    assert axis_over([0.001, 1000], log=True).ticks()[0] == pytest.approx(0.001)


def test_a_bar_is_as_high_as_its_value() -> None:
    heights = [float(height) for height in re.findall(r'<rect[^>]* height="([\d.]+)"', bar_chart([1, 2, 4]))]
    assert heights == [250, 500, 1000]


def test_a_histogram_of_growing_bins_can_be_drawn_evenly() -> None:
    drawn = histogram([0, 1, 2, 4, 8], [4, 0, 2, 1], even=True, markers={"here": 3})
    widths = {float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)"', drawn)}
    assert len(widths) == 1 and "left:62.50%" in drawn  # 3 lies in the middle of the third of four bins


@pytest.mark.parametrize("chart", [line_chart({}), line_chart({"a": []}), bar_chart([]), histogram([0, 1], [0])])
def test_nothing_can_be_drawn_too(chart: str) -> None:
    assert "<svg" in chart and "nan" not in chart


def test_labels_of_charts_are_escaped() -> None:
    assert "<b>x" not in line_chart({"<b>x": [(0, 1), (1, 2)], "y": [(0, 1)]}, label="<b>x")


def test_numbers_times_and_sizes_read_well() -> None:
    now = datetime.now(UTC)
    assert "2 h ago" in ago(now - timedelta(hours=2)) and "just now" in ago(now) and ago(None) == "–"
    assert (number(1234567), number(0.123456), number(None)) == ("1,234,567", "0.123", "–")
    assert (file_size(999), file_size(1_250_000)) == ("999 B", "1.2 MB")
    assert (duration(42), duration(200), duration(18_420)) == ("42 s", "3 min 20 s", "5 h 07 min")
    assert (percent(0.256), count(1, "image"), count(2400, "image")) == ("26 %", "1 image", "2,400 images")
    assert coded("a `<b>` c") == "a <code>&lt;b&gt;</code> c"
