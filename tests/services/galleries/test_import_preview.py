"""What an import would bring, told before it is begun."""

from pathlib import Path

from app.services.galleries import import_preview
from app.services.galleries.import_preview import preview
from app.services.jobs.submissions.import_images import FolderFrom, ManifestFrom, SampleFrom
from app.settings import Settings
from models.galleries.budget import DecodeBudget
from tests.conftest import Client
from tests.making import run_jobs, write_photos

BUDGET = DecodeBudget(64 << 20)


def look(settings: Settings, path: Path) -> import_preview.Preview:
    settings.workspace.mkdir(parents=True, exist_ok=True)
    found = preview(settings, FolderFrom(kind="folder", path=str(path)), BUDGET)
    assert found is not None
    return found


def test_a_folder_is_told_by_its_count_its_size_and_its_unreadable_files(settings: Settings, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", 8)
    (folder / "beach" / "broken.jpg").write_bytes(b"no picture")
    found = look(settings, folder)
    assert (found.images, found.whole, found.folders, found.sampled, found.unread_count) == (9, True, 4, 9, 1)
    assert [(file.path, file.reason) for file in found.unread] == [("beach/broken.jpg", "unsupported_format")]
    assert found.source_bytes == sum(path.stat().st_size for path in folder.rglob("*.jpg"))
    assert found.rate is not None and found.seconds is not None and found.seconds > 0


def test_the_disk_that_is_foretold_is_what_the_import_takes(client: Client, settings: Settings, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", 40)
    foretold = look(settings, folder).disk
    client.post("/galleries", data={"kind": "folder", "path": str(folder)})
    run_jobs(client.app.state.services)
    taken = sum(file.stat().st_size for file in (settings.workspace / "galleries" / "photos").glob("*.arrow"))
    assert foretold is not None and 0.9 < foretold / taken < 1.15


def test_listing_ends_in_time_and_says_so(settings: Settings, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(import_preview, "LISTING", -1.0)
    found = look(settings, write_photos(tmp_path / "photos", 8))
    assert (found.images, found.whole) == (1, False)


def test_a_manifest_is_looked_at_too(settings: Settings, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", 3)
    (folder / "list.csv").write_text("path\nbeach/photo-000.jpg\nforest/gone.jpg\n")
    settings.workspace.mkdir()
    found = preview(settings, ManifestFrom(kind="manifest", path=str(folder / "list.csv")), BUDGET)
    assert found is not None and found.images == 1
    assert [(one.reason, one.count, one.examples) for one in found.left_out] == [("missing", 1, ("forest/gone.jpg",))]


def test_classes_splits_and_what_is_left_out_are_told_before_anything_is_imported(
    client: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    for split, count in (("Train", 8), ("valid", 4)):
        write_photos(folder / split, count)
    (folder / "Train" / "beach" / "boxes.txt").write_text("0 0 1 1")
    (folder / "Train" / ".cache").mkdir()
    (folder / "@eaDir").mkdir()
    told = client.post("/api/import-preview", json={"source": {"kind": "folder", "path": str(folder)}}).json()
    assert told["labels"] == {"beach": 3, "forest": 3, "night": 3, "street": 3}
    assert told["splits"] == {"train": 8, "val": 4} and told["columns"] is None
    reasons = {one["reason"]: (one["count"], one["examples"]) for one in told["left_out"]}
    assert reasons == {
        "no_image": (1, ["Train/beach/boxes.txt"]),
        "hidden": (1, ["Train/.cache"]),
        "system_folder": (1, ["@eaDir"]),
    }
    page = client.get(f"/galleries?path={folder}").text
    assert "4 classes" in page and "train 8, val 4" in page and "3 left out" in page and "boxes.txt" in page


def test_the_columns_of_a_manifest_and_its_repeated_rows_are_told(client: Client, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", 3)
    lines = ["Path; LABEL ;Split;note", *(f"beach/photo-000.jpg;{name};Train;x" for name in ("cat", "dog"))]
    (folder / "list.csv").write_text("\n".join(lines))
    told = client.post("/api/import-preview", json={"source": {"kind": "manifest", "path": str(folder / "list.csv")}})
    assert told.json()["columns"] == {"used": ["Path", " LABEL ", "Split"], "ignored": ["note"]}
    assert (told.json()["repeated"], told.json()["splits"]) == (1, {"train": 2})
    page = client.get(f"/galleries?kind=manifest&path={folder / 'list.csv'}").text
    assert "ignored: note; 1 row repeat" in page


def test_there_is_nothing_to_look_at_in_the_sample(settings: Settings) -> None:
    assert preview(settings, SampleFrom(kind="sample"), BUDGET) is None


def test_the_preview_asks_nothing_outside_the_roots(client: Client) -> None:
    answer = client.post("/api/import-preview", json={"source": {"kind": "folder", "path": "/etc"}})
    assert answer.status_code == 403 and "TESSERA_ROOTS" in answer.text
    assert client.get("/galleries?path=/etc").status_code == 403
    assert client.post("/api/import-preview", json={"source": {"kind": "sample"}}).status_code == 422


def test_the_preview_page_offers_to_import_what_it_shows(client: Client, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", 5)
    page = client.get(f"/galleries?path={folder}").text
    assert f'name="path" value="{folder}"' in page and "5 read as a sample" in page.replace("files ", "")
    assert "Import and scan" not in page  # there is no network yet
    assert client.get("/api/galleries").json()["galleries"] == []
