import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.jobs.context import JobContext, Stopped
from app.jobs.events import EVENTS
from app.jobs.kinds import import_images
from app.jobs.spec import JobSpec, Output
from models.galleries.packs import Pack
from models.galleries.sources import UploadSource

pytestmark = pytest.mark.jobs

SHARD = 10


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_images, "SHARD_ROWS", SHARD)


def picture(number: int) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (24, 18), (number % 256, number // 256, 99)).save(sink, "PNG")
    return sink.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """45 photos and three files that are none, in two class folders."""
    root = tmp_path / "photos"
    for number in range(45):
        path = root / ("cat" if number % 2 else "dog") / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    (root / "cat/005.txt.png").write_bytes(b"words")
    (root / "dog/empty.jpg").write_bytes(b"")
    (root / "cat/044-cut.png").write_bytes(picture(7)[:60])
    return root


class StoppingContext(JobContext):
    """Is asked to stop when the job has come to a step."""

    at: int | None = None

    def progress(self, step: int, total: int | None, unit: str, *rest: Any, **named: Any) -> None:
        if step == self.at:
            self.stop()
        super().progress(step, total, unit, *rest, **named)


def job(workspace: Path, number: int, source: dict[str, Any], path: Path | None, at: int | None = None) -> JobContext:
    folder = workspace / "jobs" / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    inputs = {} if path is None else {"source": str(path)}
    output = Output("gallery", "pets", "galleries/pets")
    spec = JobSpec(str(number), "import", str(workspace), {"name": "pets", "source": source}, inputs, output)
    spec.write(folder)
    context = StoppingContext.open(folder)
    assert isinstance(context, StoppingContext)
    context.at = at
    return context


def folder_job(workspace: Path, number: int, path: Path, at: int | None = None) -> JobContext:
    return job(workspace, number, {"kind": "folder", "labels": "auto"}, path, at)


def content(workspace: Path) -> list[tuple[str, str | None, str, bytes]]:
    with Pack.open(workspace / "galleries/pets") as pack:
        pack.verify()
        rows = pack.metadata(range(len(pack)))
        return [(row.path, row.label, row.sha256, pack.jpeg(number)) for number, row in enumerate(rows)]


def skipped(workspace: Path) -> dict[str, str]:
    lines = (workspace / "galleries/pets/skipped.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert len({entry["path"] for entry in found}) == len(found)
    return {entry["path"]: entry["reason"] for entry in found}


def events(workspace: Path, number: int, kind: str) -> Iterator[dict[str, Any]]:
    for line in (workspace / "jobs" / str(number) / EVENTS).read_text().splitlines():
        event = json.loads(line)
        if event["type"] == kind:
            yield event


def test_a_folder_becomes_a_pack_in_the_order_of_its_paths(tmp_path: Path, photos: Path) -> None:
    import_images.run(folder_job(tmp_path, 1, photos))
    rows = content(tmp_path)
    assert [path for path, *_ in rows] == sorted(path for path, *_ in rows)
    assert len(rows) == 45
    assert all(path.startswith(f"{label}/") for path, label, *_ in rows)
    assert skipped(tmp_path) == {
        "cat/005.txt.png": "unsupported_format",
        "cat/044-cut.png": "truncated_image",
        "dog/empty.jpg": "empty_file",
    }


def test_a_finished_import_names_its_pack(tmp_path: Path, photos: Path) -> None:
    import_images.run(folder_job(tmp_path, 1, photos))
    artefact = next(events(tmp_path, 1, "artefact"))
    assert (artefact["kind"], artefact["slug"], artefact["path"]) == ("gallery", "pets", "galleries/pets")
    with Pack.open(tmp_path / "galleries/pets") as pack:
        assert artefact["detail"] == {"rows": 45, "shards": [asdict(shard) for shard in pack.shards], "skipped": 3}
    last = list(events(tmp_path, 1, "progress"))[-1]
    assert (last["step"], last["total"], last["metrics"]) == (48, 48, {"added": 45, "skipped": 3})


@pytest.mark.parametrize("at", [1, 7, 10, 11, 12, 29, 48])
def test_an_interrupted_import_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path, photos: Path, at: int) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    import_images.run(folder_job(whole, 1, photos))
    with pytest.raises(Stopped):
        import_images.run(folder_job(broken, 1, photos, at))
    assert not (broken / "galleries/pets/pack.json").exists()
    import_images.run(folder_job(broken, 1, photos))
    assert content(broken) == content(whole)
    assert skipped(broken) == skipped(whole)


def test_finished_shards_are_not_made_again(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(Stopped):
        import_images.run(folder_job(tmp_path, 1, photos, 35))
    shard = tmp_path / "galleries/pets/shard-00001.arrow"
    before = shard.stat().st_mtime_ns
    import_images.run(folder_job(tmp_path, 1, photos))
    assert shard.stat().st_mtime_ns == before


def test_the_listing_is_frozen_before_the_first_image(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(Stopped):
        import_images.run(folder_job(tmp_path, 1, photos, 15))
    (photos / "cat/000-new.png").write_bytes(picture(77))
    (photos / "dog/044.png").unlink()
    (photos / "dog/042.png").write_bytes(picture(78) + b"longer")
    import_images.run(folder_job(tmp_path, 1, photos))
    paths = [path for path, *_ in content(tmp_path)]
    assert "cat/000-new.png" not in paths
    assert len(paths) == 43
    found = skipped(tmp_path)
    assert (found["dog/044.png"], found["dog/042.png"]) == ("missing", "changed")


def test_a_damaged_shard_of_an_interrupted_import_starts_it_anew(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(Stopped):
        import_images.run(folder_job(tmp_path, 1, photos, 25))
    (tmp_path / "galleries/pets/shard-00000.arrow").write_bytes(b"gone")
    import_images.run(folder_job(tmp_path, 1, photos))
    assert len(content(tmp_path)) == 45


def test_running_a_finished_import_again_changes_nothing(tmp_path: Path, photos: Path) -> None:
    import_images.run(folder_job(tmp_path, 1, photos))
    before = content(tmp_path)
    import_images.run(folder_job(tmp_path, 1, photos))
    assert content(tmp_path) == before
    assert len(skipped(tmp_path)) == 3


def test_adding_images_appends_rows_and_renumbers_none(tmp_path: Path, photos: Path) -> None:
    import_images.run(folder_job(tmp_path, 1, photos))
    before = content(tmp_path)
    more = tmp_path / "more"
    more.mkdir()
    for number in range(100, 115):
        (more / f"{number}.png").write_bytes(picture(number))
    (more / "bad.png").write_bytes(b"bad")
    import_images.run(folder_job(tmp_path, 2, more))
    after = content(tmp_path)
    assert after[:45] == before
    assert [path for path, *_ in after[45:]] == [f"{number}.png" for number in range(100, 115)]
    assert len(skipped(tmp_path)) == 4


def test_adding_the_same_folder_again_adds_only_what_is_new(tmp_path: Path, photos: Path) -> None:
    import_images.run(folder_job(tmp_path, 1, photos))
    (photos / "cat/900.png").write_bytes(picture(200))
    for bad in ("cat/005.txt.png", "cat/044-cut.png", "dog/empty.jpg"):
        (photos / bad).unlink()
    import_images.run(folder_job(tmp_path, 2, photos))
    assert [path for path, *_ in content(tmp_path)][45:] == ["cat/900.png"]


def test_an_interrupted_growth_leaves_the_gallery_as_it_was_and_can_go_on(tmp_path: Path, photos: Path) -> None:
    import_images.run(folder_job(tmp_path, 1, photos))
    more = tmp_path / "more"
    more.mkdir()
    for number in range(100, 125):
        (more / f"{number}.png").write_bytes(picture(number))
    with pytest.raises(Stopped):
        import_images.run(folder_job(tmp_path, 2, more, 15))
    assert len(content(tmp_path)) == 45
    import_images.run(folder_job(tmp_path, 2, more))
    assert len(content(tmp_path)) == 70


def test_a_folder_without_images_makes_an_empty_gallery(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    import_images.run(folder_job(tmp_path, 1, tmp_path / "empty"))
    assert content(tmp_path) == []
    assert skipped(tmp_path) == {}


def test_duplicates_are_images_like_any_other(tmp_path: Path) -> None:
    root = tmp_path / "twins"
    root.mkdir()
    for name in ("a.png", "b.png"):
        (root / name).write_bytes(picture(1))
    import_images.run(folder_job(tmp_path, 1, root))
    (a, _, first, _), (b, _, second, _) = content(tmp_path)
    assert (a, b) == ("a.png", "b.png")
    assert first == second


def test_uploaded_files_are_removed_once_they_are_in_the_gallery(tmp_path: Path) -> None:
    import_images.run(job(tmp_path, 1, {"kind": "upload"}, None))
    assert content(tmp_path) == []
    inputs = tmp_path / "inputs/pets-1"
    inputs.mkdir(parents=True)
    (inputs / "000000").write_bytes(picture(3))
    (inputs / UploadSource.NAMES).write_text(json.dumps({"name": "../../etc/x.png", "file": "000000"}) + "\n")
    import_images.run(job(tmp_path, 2, {"kind": "upload", "batch": "1"}, inputs))
    assert len(content(tmp_path)) == 1
    assert not inputs.exists()


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    """The number in flight is bounded: never more than a few listed lines ahead of what is written."""
    import tracemalloc

    root = tmp_path / "many"
    root.mkdir()
    data = picture(1)
    for number in range(200):
        (root / f"{number:04d}.png").write_bytes(data)
    tracemalloc.start()
    import_images.run(folder_job(tmp_path, 1, root))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
