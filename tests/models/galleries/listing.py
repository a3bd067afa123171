"""What tests of sources share: folders of pictures, and what a source lists of them."""

import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from models.galleries.sources import ImageSource, Item, Skipped


def picture(colour: tuple[int, int, int] = (9, 99, 199)) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (24, 18), colour).save(sink, "PNG")
    return sink.getvalue()


def fill(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture())
    return root


def listed(source: ImageSource) -> list[Item]:
    return [found for found in source.items() if isinstance(found, Item)]


def left_out(source: ImageSource) -> dict[str, str]:
    return {found.path: found.reason for found in source.items() if isinstance(found, Skipped)}


def facets(items: Iterable[Item]) -> list[tuple[str, str | None, str | None]]:
    return [(item.path, item.label, item.split) for item in items]
