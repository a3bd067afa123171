import io
import re
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.conftest import Client, Server
from tests.making import run_jobs, write_photos


def picture(number: int = 0) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (40, 30), (number % 256, 90, 30)).save(sink, "PNG")
    return sink.getvalue()


def page(client: Client | httpx.Client, path: str) -> str:
    answer = client.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 200, answer.text
    assert "<script>" not in answer.text
    return answer.text


def follow(answer: httpx.Response) -> str:
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def thumbnails(html: str) -> list[int]:
    return [int(row) for row in re.findall(r'<img src="/api/galleries/[^/]+/images/(\d+)/', html)]


def test_an_empty_workspace_shows_how_to_import(client: Client) -> None:
    html = page(client, "/galleries")
    assert "No galleries yet" in html
    assert "TESSERA_ROOTS" in html
    assert html.count("<form") >= 4


def test_the_folder_form_makes_a_gallery_named_after_the_folder(client: Client, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "Holiday Snaps", 6)
    form = {"kind": "folder", "path": str(folder), "labels": "auto", "name": ""}
    place = follow(client.post("/galleries", data=form))
    assert place == "/galleries/holiday-snaps"
    waiting = page(client, place)
    assert "queued" in waiting
    assert 'http-equiv="refresh"' in waiting
    run_jobs(client.app.state.services)
    html = page(client, place)
    assert thumbnails(html) == list(range(6))
    assert 'http-equiv="refresh"' not in html
    assert thumbnails(page(client, "/galleries")) == list(range(6))


def test_a_wrong_path_comes_back_in_the_form_with_the_reason(client: Client, tmp_path: Path) -> None:
    form = {"kind": "folder", "path": str(tmp_path / "nowhere"), "name": "x", "labels": "none"}
    answer = client.post("/galleries", data=form)
    assert answer.status_code == 422
    assert "There is no folder at this path." in answer.text
    assert f'value="{tmp_path / "nowhere"}"' in answer.text
    outside = client.post("/galleries", data={**form, "path": "/etc"})
    assert outside.status_code == 403
    assert "TESSERA_ROOTS" in outside.text


def test_the_manifest_and_sample_forms_work(client: Client, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", 3)
    (folder / "list.csv").write_text("path,label\nbeach/photo-000.jpg,sea\n")
    place = follow(client.post("/galleries", data={"kind": "manifest", "path": str(folder / "list.csv")}))
    assert place == "/galleries/list"
    assert follow(client.post("/galleries", data={"kind": "sample", "name": "demo"})) == "/galleries/demo"
    assert client.post("/galleries", data={"kind": "planet", "name": "x"}).status_code == 422


def test_files_are_uploaded_from_the_form(client: Client) -> None:
    files = [("files", (f"{number}.png", picture(number))) for number in range(3)]
    place = follow(client.post("/galleries", data={"kind": "upload", "name": "Mine"}, files=files))
    run_jobs(client.app.state.services)
    assert thumbnails(page(client, place)) == [0, 1, 2]
    more = client.post(f"{place}/images", data={"kind": "upload"}, files=[("files", ("9.png", picture(9)))])
    assert follow(more) == place
    run_jobs(client.app.state.services)
    assert thumbnails(page(client, place)) == [0, 1, 2, 3]
    assert client.post("/galleries", data={"kind": "upload", "name": ""}, files=files).status_code == 422


def test_the_grid_is_paged_and_filtered_and_the_address_says_how(web: httpx.Client, server: Server) -> None:
    here = f"/galleries/{server.workspace.gallery}"
    first = page(web, f"{here}?limit=15&label=beach&size=small")
    assert len(thumbnails(first)) == 10
    assert "10 images" in first
    assert 'value="beach" selected' in first
    plain = page(web, f"{here}?limit=15")
    assert thumbnails(plain) == list(range(15))
    following = re.search(r'href="([^"]*cursor=15[^"]*)" rel="next"', plain)
    assert following is not None
    assert thumbnails(page(web, following[1].replace("&amp;", "&")))[0] == 15
    assert "No image matches" in page(web, f"{here}?label=horse")


@pytest.mark.parametrize("query", ["size=huge", "limit=0", "cursor=x"])
def test_a_bad_query_of_the_grid_is_a_422(web: httpx.Client, server: Server, query: str) -> None:
    answer = web.get(f"/galleries/{server.workspace.gallery}?{query}", headers={"accept": "text/html"})
    assert answer.status_code == 422
    assert "<html" in answer.text


def test_an_image_has_a_page_with_its_facts_and_ways_on(web: httpx.Client, server: Server) -> None:
    used = server.workspace
    html = page(web, f"/galleries/{used.gallery}/images/5")
    assert f"/scans/{used.scan}/search?row=5" in html
    assert f"/checkpoints/{used.checkpoint}/count?gallery={used.gallery}&amp;row=5" in html
    assert 'rel="prev"' in html and 'rel="next"' in html
    within = page(web, f"/galleries/{used.gallery}/images/0?label=beach")
    assert f"/galleries/{used.gallery}/images/1?label=beach" in within
    assert 'rel="prev"' not in within


@pytest.mark.parametrize("path", ["/galleries/nothing", "/galleries/photos/images/4000", "/galleries/nothing/skipped"])
def test_what_is_not_there_is_a_404_page(web: httpx.Client, path: str) -> None:
    answer = web.get(path, headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert "<html" in answer.text


def test_the_forms_of_a_gallery_start_training_and_scan(client: Client, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos")
    place = follow(client.post("/galleries", data={"kind": "folder", "path": str(folder)}))
    run_jobs(client.app.state.services)
    job = follow(client.post(f"{place}/train", data={"recipe": "small", "config.steps": "3", "seed": "1"}))
    spec = client.get(f"/api{job}").json()["spec"]
    assert (spec["gallery"], spec["recipe"], spec["config"]["steps"], spec["seed"]) == ("photos", "small", 3, 1)
    wrong = client.post(f"{place}/train", data={"recipe": "small", "config.steps": "many"})
    assert wrong.status_code == 422
    assert "steps" in wrong.text
    assert client.post(f"{place}/scan", data={"checkpoint": "nothing"}).status_code == 404


def test_skipped_files_are_listed_with_their_reason(client: Client, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", 4)
    (folder / "<img src=x onerror=alert(1)>.jpg").write_bytes(b"no")
    place = follow(client.post("/galleries", data={"kind": "folder", "path": str(folder)}))
    run_jobs(client.app.state.services)
    html = page(client, f"{place}/skipped")
    assert "unsupported_format" in html
    assert "&lt;img src=x onerror=alert(1)&gt;.jpg" in html
    assert "1 file skipped" in page(client, place)


def test_names_from_outside_are_shown_as_text(client: Client, tmp_path: Path) -> None:
    label = "<script>alert(1)</script>".replace("/", "-")
    write_photos(tmp_path / "photos" / "x", 3)
    (tmp_path / "photos" / label).mkdir()
    (tmp_path / "photos" / label / "a'\"b.png").write_bytes(picture(3))
    form = {"kind": "folder", "path": str(tmp_path / "photos"), "name": "<b>bold</b>", "labels": "folders"}
    place = follow(client.post("/galleries", data=form))
    run_jobs(client.app.state.services)
    for path in (place, "/galleries", f"{place}/images/0"):
        html = page(client, path)
        assert "<b>bold" not in html
        assert "<script>alert" not in html


def test_a_folder_without_images_says_which_files_are_read(client: Client, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    place = follow(client.post("/galleries", data={"kind": "folder", "path": str(tmp_path / "empty")}))
    run_jobs(client.app.state.services)
    assert "JPEG, PNG, WebP, GIF, BMP and PPM" in page(client, place)
