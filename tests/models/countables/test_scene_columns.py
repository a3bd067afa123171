"""What packs know of generated scenes, and that packs from before know nothing and open."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from models.galleries import packs
from models.galleries.images import store_image
from models.galleries.packs import Pack, PackRow, write_manifest, write_shard


def stored(value: int, **known: str) -> tuple[PackRow, packs.StoredImage]:
    sink = io.BytesIO()
    Image.new("RGB", (8, 8), (value, 0, 0)).save(sink, "PNG")
    image = store_image(sink.getvalue())
    return PackRow(f"{value}.png", None, None, None, None, 8, 8, 8, 8, image.sha256, **known), image


def written(folder: Path, rows: Sequence[tuple[PackRow, packs.StoredImage]]) -> Pack:
    write_manifest(folder, [write_shard(folder, 0, rows)])
    return Pack.open(folder)


def test_scene_and_truth_are_read_back_and_photos_have_none(tmp_path: Path) -> None:
    rows = [stored(1, scene='{"number": 2}', truth='{"objects": []}'), stored(2)]
    with written(tmp_path, rows) as pack:
        assert pack.scenes() == [{"number": 2}, None]
        assert (pack.scene(0), pack.scene(1)) == ({"number": 2}, None)
        assert (pack.truth(0), pack.truth(1)) == ({"objects": []}, None)
        assert pack.row(0) == replace(rows[0][0], scene=None, truth=None)
        with pytest.raises(IndexError):
            pack.truth(2)


def test_a_pack_from_before_there_were_scenes_opens_and_knows_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pa.schema([field for field in packs.SCHEMA if field.name not in ("scene", "truth")])
    monkeypatch.setattr(packs, "SCHEMA", before)
    with written(tmp_path, [stored(1), stored(2)]) as pack:
        monkeypatch.undo()
        assert pack.scenes() == [None, None]
        assert (pack.scene(1), pack.truth(0)) == (None, None)
        assert pack.row(1).path == "2.png"
