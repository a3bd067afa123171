import os
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from tests.api.asking import all_images, code, imported, new, picture, write_pets
from tests.conftest import Client
from tests.making import run_jobs, write_photos

# What a browser sends for a file field that was left empty.
NO_FILE = b'--q\r\nContent-Disposition: form-data; name="files"; filename=""\r\n\r\n\r\n--q--\r\n'


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write_pets(tmp_path / "pets")


def test_files_are_uploaded_into_a_gallery_of_their_own(client: Client) -> None:
    slug = imported(client, {"name": "mine", "source": {"kind": "upload"}})
    assert client.get(f"/api/galleries/{slug}").json()["rows"] == 0
    odd = "../../etc/naïve <b>.png"
    files = [("files", ("b.png", picture(1))), ("files", (odd, picture(2))), ("files", ("bad.jpg", b"no"))]
    answer = client.post(f"/api/galleries/{slug}/images", files=files)
    assert answer.status_code == 202
    assert answer.json()["job"]["kind"] == "import"
    run_jobs(client.app.state.services)
    assert [image["path"] for image in all_images(client, slug)] == ["b.png", "naïve <b>.png"]
    assert client.get(f"/api/galleries/{slug}").json()["skipped"] == 1


def test_added_images_get_the_next_rows(client: Client, pets: Path, settings: Settings) -> None:
    slug = imported(client, new("pets", pets))
    before = all_images(client, slug)
    bytes_before = client.get(f"/api/galleries/{slug}/images/3/image").content
    answer = client.post(f"/api/galleries/{slug}/images", files=[("files", ("000.png", picture(77)))])
    assert answer.status_code == 202
    run_jobs(client.app.state.services)
    more = pets.parent / "more"
    write_photos(more, 3)
    source = {"source": {"kind": "folder", "path": str(more), "labels": "none"}}
    assert client.post(f"/api/galleries/{slug}/images", json=source).status_code == 202
    run_jobs(client.app.state.services)
    after = all_images(client, slug)
    assert after[:12] == before
    assert (len(after), after[12]["path"]) == (16, "000.png")
    assert client.get(f"/api/galleries/{slug}/images/3/image").content == bytes_before
    inputs = settings.workspace / "inputs"
    assert list(inputs.iterdir()) == []


def test_the_same_upload_twice_is_the_same_job(client: Client) -> None:
    slug = imported(client, {"name": "mine", "source": {"kind": "upload"}})
    files = [("files", ("a.png", picture(1)))]
    first = client.post(f"/api/galleries/{slug}/images", files=files)
    again = client.post(f"/api/galleries/{slug}/images", files=files)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["job"]["id"] == again.json()["job"]["id"]
    run_jobs(client.app.state.services)
    done = client.post(f"/api/galleries/{slug}/images", files=files)
    assert (done.status_code, len(all_images(client, slug))) == (200, 1)


def test_a_folder_added_again_after_it_grew_brings_only_what_is_new(client: Client, pets: Path) -> None:
    slug = imported(client, new("pets", pets))
    body = {"source": {"kind": "folder", "path": str(pets)}}
    for number in (1, 2):
        (pets / f"train/dog/new-{number}.png").write_bytes(picture(100 + number))
        assert client.post(f"/api/galleries/{slug}/images", json=body).status_code == 202
        run_jobs(client.app.state.services)
        assert len(all_images(client, slug)) == 12 + number


def test_an_addition_waits_for_the_import_before_it(client: Client, pets: Path) -> None:
    client.post("/api/galleries", json=new("pets", pets))
    answer = client.post("/api/galleries/pets/images", files=[("files", ("zzz.png", picture(77)))])
    assert answer.status_code == 202
    run_jobs(client.app.state.services)
    assert [image["path"] for image in all_images(client, "pets")][12:] == ["zzz.png"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"files": [("file", ("a.png", b"x"))]}, (422, "unknown_field")),
        ({"data": {"name": "x"}, "files": [("files", ("a.png", b"x"))]}, (422, "unknown_field")),
        ({"content": NO_FILE, "headers": {"content-type": "multipart/form-data; boundary=q"}}, (422, "no_files")),
        ({"json": {}}, (422, "invalid_value")),
        ({"json": {"source": {"kind": "folder", "path": "/etc"}}}, (403, "outside_roots")),
        ({"json": {"source": {"kind": "upload", "batch": "0" * 32}}}, (422, "unknown_batch")),
        ({"json": {"source": {"kind": "upload", "batch": "../../../etc"}}}, (422, "invalid_value")),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, (400, "malformed_json")),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, (400, "malformed_form")),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=q"}}, (400, "malformed_form")),
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, (415, "unsupported_content_type")),
    ],
)
def test_a_bad_addition_says_why_and_leaves_nothing(
    client: Client, settings: Settings, options: dict[str, Any], expected: tuple[int, str]
) -> None:
    client.post("/api/galleries", json={"name": "g", "source": {"kind": "upload"}})
    jobs = len(client.get("/api/jobs").json()["jobs"])
    assert code(client.post("/api/galleries/g/images", **options)) == expected
    inputs = settings.workspace / "inputs"
    assert not inputs.exists() or list(inputs.iterdir()) == []
    assert len(client.get("/api/jobs").json()["jobs"]) == jobs


def test_an_upload_that_is_cut_off_leaves_nothing(client: Client, settings: Settings) -> None:
    client.post("/api/galleries", json={"name": "g", "source": {"kind": "upload"}})
    body = b'--q\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + b"x" * 5000
    headers = {"content-type": "multipart/form-data; boundary=q"}
    answer = client.post("/api/galleries/g/images", content=body, headers=headers)
    assert code(answer) == (400, "malformed_form")
    assert list((settings.workspace / "inputs").iterdir()) == []


def test_adding_to_an_unknown_gallery_is_a_404(client: Client) -> None:
    files = [("files", ("a.png", picture(1)))]
    assert code(client.post("/api/galleries/nothing/images", files=files)) == (404, "unknown_gallery")


def test_what_a_killed_server_left_of_an_upload_is_swept_a_day_later(client: Client, settings: Settings) -> None:
    old, fresh = (settings.workspace / "inputs" / name for name in (".old.tmp", ".fresh.tmp"))
    for folder in (old, fresh):
        folder.mkdir(parents=True)
    os.utime(old, (1e9, 1e9))
    client.post("/api/galleries", json={"name": "g", "source": {"kind": "upload"}})
    client.post("/api/galleries/g/images", files=[("files", ("a.png", picture(1)))])
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_form_of_very_many_fields_is_refused(client: Client) -> None:
    client.post("/api/galleries", json={"name": "g", "source": {"kind": "upload"}})
    fields = {f"field-{number}": "x" for number in range(100)}
    answer = client.post("/api/galleries/g/images", data=fields, files=[("files", ("a.png", picture(1)))])
    assert code(answer) == (422, "too_many_fields")
