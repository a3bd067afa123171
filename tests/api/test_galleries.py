import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.settings import Settings
from models.samples import photos as sample_photos
from tests.api.asking import all_images, code, imported, new, picture, write_pets
from tests.conftest import Client, Clients
from tests.making import run_jobs


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write_pets(tmp_path / "pets")


# ---- making a gallery


def test_a_gallery_and_its_job_are_there_at_once_and_filled_when_the_job_is_done(client: Client, pets: Path) -> None:
    answer = client.post("/api/galleries", json=new("My Pets", pets))
    assert answer.status_code == 202
    gallery, job = answer.json()["gallery"], answer.json()["job"]
    assert (gallery["slug"], gallery["name"], gallery["rows"]) == ("my-pets", "My Pets", 0)
    assert (job["kind"], job["state"]) == ("import", "queued")
    assert client.get(gallery["links"]["images"]).json()["images"] == []
    run_jobs(client.app.state.services)
    filled = client.get(gallery["links"]["self"]).json()
    assert (filled["rows"], filled["skipped"]) == (12, 0)
    assert filled["labels"] == {"cat": 6, "dog": 6}
    assert filled["splits"] == {"test": 4, "train": 8}
    assert filled["created_at"].endswith("Z")


def test_the_same_name_and_source_is_the_same_pair_and_another_source_is_refused(client: Client, pets: Path) -> None:
    first = client.post("/api/galleries", json=new("pets", pets)).json()
    again = client.post("/api/galleries", json=new("pets", f"{pets}/../pets"))
    assert again.status_code == 200
    assert (again.json()["gallery"]["slug"], again.json()["job"]["id"]) == ("pets", first["job"]["id"])
    assert code(client.post("/api/galleries", json=new("pets", pets / "train"))) == (409, "gallery_exists")
    assert code(client.post("/api/galleries", json=new("pets", pets, labels="none"))) == (409, "gallery_exists")


def test_an_answer_holds_no_path_of_the_server(client: Client, pets: Path) -> None:
    answers = [client.post("/api/galleries", json=new("pets", pets))]
    run_jobs(client.app.state.services)
    answers += [client.get(path) for path in ("/api/galleries", "/api/galleries/pets", "/api/galleries/pets/images")]
    answers += [client.post("/api/galleries", json=new("x", pets.parent / "nowhere")), client.get("/api/jobs")]
    assert not [answer.text for answer in answers if str(pets.parent) in answer.text]


@pytest.mark.parametrize("path", ["", "relative/photos", "{root}/missing", "{root}/pets/train/dog/02.png", "a\0b"])
def test_what_is_not_a_folder_is_named_so(client: Client, pets: Path, path: str) -> None:
    answer = client.post("/api/galleries", json=new("x", path.format(root=pets.parent)))
    assert code(answer) == (422, "not_a_directory")


@pytest.mark.parametrize("path", ["/etc", "/proc", "~/.ssh", "{root}/../..", "{root}/link", "{root}/.hidden"])
def test_outside_the_roots_is_forbidden_and_the_answer_names_the_setting_and_no_path(
    client: Client, pets: Path, path: str
) -> None:
    (pets.parent / "link").symlink_to("/etc")
    (pets.parent / ".hidden").mkdir()
    answer = client.post("/api/galleries", json=new("x", path.format(root=pets.parent)))
    assert code(answer) == (403, "outside_roots")
    assert "TESSERA_ROOTS" in answer.text
    assert str(pets.parent) not in answer.text
    assert client.get("/api/galleries").json()["galleries"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "x"},
        {"name": "", "source": {"kind": "sample"}},
        {"name": "x", "source": {"kind": "zip", "path": "/tmp"}},
        {"name": "x", "source": {"kind": "folder"}},
        {"name": "x", "source": {"kind": "sample"}, "colour": "red"},
        {"name": "x", "source": {"kind": "sample", "path": "/tmp"}},
        {"name": "x", "source": {"kind": "folder", "path": "/tmp", "labels": "some"}},
        {"name": "x" * 101, "source": {"kind": "sample"}},
        {"name": "!!!", "source": {"kind": "sample"}},
        {"name": 3, "source": {"kind": "sample"}},
        {"name": "x", "source": "sample"},
    ],
)
def test_a_body_that_makes_no_sense_is_a_422(client: Client, body: dict[str, Any]) -> None:
    assert client.post("/api/galleries", json=body).status_code == 422


def test_galleries_are_listed_newest_first_by_cursor(client: Client) -> None:
    for number in range(5):
        client.post("/api/galleries", json={"name": f"g{number}", "source": {"kind": "upload"}})
    first = client.get("/api/galleries?limit=2").json()
    second = client.get("/api/galleries", params={"limit": 3, "cursor": first["next"]}).json()
    slugs = [gallery["slug"] for answer in (first, second) for gallery in answer["galleries"]]
    assert slugs == ["g4", "g3", "g2", "g1", "g0"]
    assert second["next"] is None


# ---- its images


def test_images_are_listed_by_row_with_all_that_is_known(client: Client, pets: Path) -> None:
    slug = imported(client, new("pets", pets))
    images = all_images(client, slug)
    assert [image["row"] for image in images] == list(range(12))
    first = images[0]
    assert (first["path"], first["label"], first["split"]) == ("test/cat/03.png", "cat", "test")
    assert (first["counts"], first["width"], first["height"]) == (None, 40, 30)
    for link in first["links"].values():
        assert client.get(link, headers={"accept": "text/html"}).status_code == 200


def test_images_are_filtered_by_label_and_split_and_keep_their_rows(client: Client, pets: Path) -> None:
    slug = imported(client, new("pets", pets))
    everything = all_images(client, slug)
    for query in ({"label": "dog"}, {"split": "train"}, {"label": "cat", "split": "train"}, {"label": "horse"}):
        expected = [image for image in everything if all(image[key] == value for key, value in query.items())]
        assert all_images(client, slug, **query) == expected


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "cursor=x", "cursor=-1", "limit=1e3"])
def test_a_bad_query_is_a_422(client: Client, query: str) -> None:
    client.post("/api/galleries", json={"name": "g", "source": {"kind": "upload"}})
    assert client.get(f"/api/galleries/g/images?{query}").status_code == 422
    assert client.get(f"/api/galleries?{query}").status_code == 422


def test_a_cursor_beyond_the_end_ends_the_list(client: Client, pets: Path) -> None:
    slug = imported(client, new("pets", pets))
    for query in ("", "&label=dog"):
        answer = client.get(f"/api/galleries/{slug}/images?cursor=999999999999{query}").json()
        assert (answer["images"], answer["next"]) == ([], None)


@pytest.mark.parametrize("tail", ["", "/images", "/images/0", "/images/0/thumbnail", "/images/0/image", "/skipped"])
def test_an_unknown_gallery_is_a_404(client: Client, tail: str) -> None:
    assert code(client.get(f"/api/galleries/nothing{tail}")) == (404, "unknown_gallery")


@pytest.mark.parametrize(("row", "status"), [("12", 404), ("-1", 422), ("abc", 422), (str(10**26), 422), ("1%00", 404)])
def test_an_unknown_row_is_never_a_500(client: Client, pets: Path, row: str, status: int) -> None:
    slug = imported(client, new("pets", pets))
    for tail in ("", "/thumbnail", "/image"):
        assert client.get(f"/api/galleries/{slug}/images/{row}{tail}").status_code in (status, 422, 404)


def test_pictures_come_from_the_pack_with_headers_that_make_them_safe_and_cacheable(client: Client, pets: Path) -> None:
    slug = imported(client, new("pets", pets))
    for tail, kind, form in (("thumbnail", "image/webp", "WEBP"), ("image", "image/jpeg", "JPEG")):
        answer = client.get(f"/api/galleries/{slug}/images/3/{tail}")
        assert answer.headers["content-type"] == kind
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        with Image.open(io.BytesIO(answer.content)) as image:
            assert (image.format, image.size) == (form, (40, 30))
        again = client.get(
            f"/api/galleries/{slug}/images/3/{tail}", headers={"if-none-match": f'"x", W/{answer.headers["etag"]}'}
        )
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])


def test_no_served_byte_holds_metadata_or_what_was_appended(client: Client, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[29] = "GPSSECRET"
    root = tmp_path / "phone"
    root.mkdir()
    (root / "a.jpg").write_bytes(picture(1, "JPEG", exif=exif) + b"<script>SECRET</script>")
    slug = imported(client, new("phone", root))
    image = client.get(f"/api/galleries/{slug}/images/0").json()
    assert (image["width"], image["height"]) == (30, 40)
    for tail in ("thumbnail", "image"):
        data = client.get(f"/api/galleries/{slug}/images/0/{tail}").content
        assert b"SECRET" not in data
        with Image.open(io.BytesIO(data)) as picture_served:
            assert picture_served.size == (30, 40)


def test_files_that_are_no_images_are_counted_and_listed_with_a_reason(client: Client, pets: Path) -> None:
    (pets / "train/cat/broken.jpg").write_bytes(b"<html>")
    (pets / "train/cat/empty.png").write_bytes(b"")
    (pets / "escape.png").symlink_to("/etc/passwd")
    slug = imported(client, new("pets", pets))
    assert client.get(f"/api/galleries/{slug}").json()["skipped"] == 3
    first = client.get(f"/api/galleries/{slug}/skipped?limit=2").json()
    rest = client.get(f"/api/galleries/{slug}/skipped", params={"cursor": first["next"]}).json()
    found = {file["path"]: file["reason"] for file in first["skipped"] + rest["skipped"]}
    assert found == {
        "escape.png": "outside_root",
        "train/cat/broken.jpg": "unsupported_format",
        "train/cat/empty.png": "empty_file",
    }


# ---- other sources


def test_a_manifest_brings_labels_counts_and_splits(client: Client, pets: Path) -> None:
    rows = 'path,label,split,counts\ntrain/cat/01.png,tom,val,"{""ears"": 2}"\ntest/dog/00.png,rex,,\n'
    (pets / "manifest.csv").write_text(rows)
    slug = imported(client, {"name": "m", "source": {"kind": "manifest", "path": str(pets / "manifest.csv")}})
    first, second = all_images(client, slug)
    assert (first["label"], first["split"], first["counts"]) == ("rex", None, None)
    assert (second["label"], second["split"], second["counts"]) == ("tom", "val", {"ears": 2})


def test_a_manifest_that_is_none_is_refused_at_once(client: Client, pets: Path) -> None:
    (pets / "bad.csv").write_text("file,label\nx,y\n")
    for path, expected in (("bad.csv", "bad_manifest"), ("missing.csv", "not_a_file"), ("", "not_a_file")):
        body = {"name": "m", "source": {"kind": "manifest", "path": str(pets / path)}}
        assert code(client.post("/api/galleries", json=body)) == (422, expected)
    body = {"name": "m", "source": {"kind": "manifest", "path": "/etc/passwd"}}
    assert code(client.post("/api/galleries", json=body)) == (403, "outside_roots")


def test_the_sample_is_one_request_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    few = tuple(replace(photo, crops=3) for photo in sample_photos.PHOTOS if photo.name in ("coffee", "moon"))
    monkeypatch.setattr(sample_photos, "PHOTOS", few)
    slug = imported(client, {"name": "sample-photos", "source": {"kind": "sample"}})
    images = all_images(client, slug)
    assert [image["source"] for image in images] == ["coffee"] * 3 + ["moon"] * 3
    assert [image["path"] for image in images[:2]] == ["coffee/000.jpg", "coffee/001.jpg"]


def test_a_failed_import_is_tried_again_by_the_same_request(client: Client, pets: Path) -> None:
    from app.jobs import table
    from app.jobs.records import JobError

    client.post("/api/galleries", json=new("pets", pets))
    services = client.app.state.services
    with services.store.write() as session:
        job = table.claim(session, "light", "cpu")
        assert job is not None
        table.finish(session, job.id, "failed", JobError("disk_full", "The disk is full."))
    again = client.post("/api/galleries", json=new("pets", pets))
    assert (again.status_code, again.json()["job"]["state"]) == (200, "queued")
    run_jobs(services)
    assert len(all_images(client, "pets")) == 12


def test_links_carry_the_base_path(settings: Settings, client_for: Clients, pets: Path) -> None:
    client = client_for(settings.model_copy(update={"base_path": "/lab"}))
    slug = imported(client, new("pets", pets))
    gallery = client.get(f"/api/galleries/{slug}").json()
    assert gallery["links"]["page"] == "/lab/galleries/pets"
    image = client.get(gallery["links"]["images"]).json()["images"][0]
    assert image["links"]["thumbnail"] == "/lab/api/galleries/pets/images/0/thumbnail"
    assert client.get(image["links"]["thumbnail"]).status_code == 200


def test_an_import_may_also_be_submitted_as_a_job(client: Client, pets: Path) -> None:
    answer = client.post("/api/jobs", json={"kind": "import", "spec": new("pets", pets)})
    assert answer.status_code == 202
    assert code(client.post("/api/jobs", json={"kind": "import", "spec": {"name": "x"}})) == (422, "invalid_value")
    run_jobs(client.app.state.services)
    assert len(all_images(client, "pets")) == 12
    assert json.dumps(client.get("/api/jobs").json()).count(str(pets)) == 0
