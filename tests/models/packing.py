"""Small packs whose columns a test chooses."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from models.galleries.images import store_image
from models.galleries.packs import Pack, PackRow, write_manifest, write_shard
from tests.making import photo


def nothing(_row: int) -> None:
    """The column stays empty."""


def pack_of(
    folder: Path,
    rows: int,
    *,
    first: int = 0,
    path: Callable[[int], str | None] = nothing,
    label: Callable[[int], str | None] = nothing,
    source: Callable[[int], str | None] = nothing,
    split: Callable[[int], str | None] = nothing,
    counts: Callable[[int], Mapping[str, int] | None] = nothing,
    scene: Callable[[int], dict[str, object] | None] = nothing,
    quality: int = 90,
) -> Pack:
    """A pack of photos drawn from seeds `first`, `first + 1` ...; the same seed and quality, the same file."""
    made = []
    for row in range(rows):
        sink = io.BytesIO()
        photo(first + row, 96, 80).save(sink, "JPEG", quality=quality)
        image = store_image(sink.getvalue())
        drawn = scene(row)
        known = PackRow(
            path=path(row) or f"{row:05d}.jpg",
            label=label(row),
            split=split(row),
            counts=counts(row),
            source=source(row),
            width=image.width,
            height=image.height,
            jpeg_width=image.jpeg_width,
            jpeg_height=image.jpeg_height,
            sha256=image.sha256,
            scene=None if drawn is None else json.dumps(drawn),
        )
        made.append((known, image))
    write_manifest(folder, [write_shard(folder, 0, made)])
    return Pack.open(folder)
