"""Pictures on pages that ask about one image: the query itself, tiles to choose from, random rows to start with."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from app.services.services import Services
from app.settings import Settings
from models.galleries.packs import Pack


@dataclass(frozen=True)
class Picture:
    """An image as the browser gets it, with its size in pixels."""

    src: str
    width: int
    height: int
    name: str


@dataclass(frozen=True)
class Tile:
    """A small picture that leads somewhere; `copies` are those of rows that look the same."""

    row: int
    src: str
    href: str
    caption: str
    label: str | None
    note: str = ""
    seen: bool = False
    copies: tuple["Tile", ...] = ()
    more_copies: int = 0


def gallery_picture(settings: Settings, gallery: str, pack: Pack, row: int) -> Picture:
    """An image of a gallery. Raises IndexError."""
    known = pack.row(row)
    src = settings.url(f"/api/galleries/{gallery}/images/{row}/image")
    return Picture(
        src, known.jpeg_width, known.jpeg_height, f"row {row}, {known.label}" if known.label else f"row {row}"
    )


def upload_picture(services: Services, settings: Settings, upload: str) -> Picture:
    """An uploaded image. Raises NotFound."""
    image = services.uploads.open(upload)
    return Picture(settings.url(f"/uploads/{upload}.jpg"), image.width, image.height, "your image")


def thumbnail(settings: Settings, gallery: str, row: int) -> str:
    """The address of a row's thumbnail."""
    return settings.url(f"/api/galleries/{gallery}/images/{row}/thumbnail")


def some_rows(rows: int, *, shuffle: int, count: int) -> list[int]:
    """A few rows of a gallery: the same for the same number, others for the next."""
    return sorted(random.Random(shuffle).sample(range(rows), min(count, rows)))


def labels(pack: Pack, rows: Sequence[int]) -> list[str | None]:
    """The label of each row, where it has one."""
    return [known.label for known in pack.metadata(rows)]


def was_seen(
    services: Services, checkpoint: str, *, gallery: str | None, row: int | None, upload: str | None, jpeg: bytes
) -> bool | None:
    """Whether a network was trained on a row, an upload or an image sent along; None where that is not known."""
    if gallery is not None and row is not None:
        seen = services.seen.find(checkpoint, gallery)
        return None if seen.rows is None else row in seen
    return services.seen.image(checkpoint, jpeg, sha256=upload or "0")


def image_links(gallery: str, row: int, settings: Settings) -> dict[str, str]:
    """Where a row's JSON, page, image and thumbnail are."""
    here = f"/api/galleries/{gallery}/images/{row}"
    return {
        "self": settings.url(here),
        "page": settings.url(f"/galleries/{gallery}/images/{row}"),
        "image": settings.url(f"{here}/image"),
        "thumbnail": settings.url(f"{here}/thumbnail"),
    }
