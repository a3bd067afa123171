"""Pictures on pages that ask about one image: the image itself, tiles to choose from, random rows to begin with."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from app.services.services import Services
from app.settings import Settings
from models.galleries.packs import Pack


@dataclass(frozen=True)
class Picture:
    """An image as the browser gets it, with its size in pixels; `name` says in words which image it is."""

    src: str
    width: int
    height: int
    name: str


@dataclass(frozen=True)
class Tile:
    """A small picture that is a link.

    `copies` are tiles of rows that look the same, `more_copies` is the number of those that are not shown. `seen`: the
    row was used in training.
    """

    row: int
    src: str
    href: str
    caption: str
    label: str | None
    note: str = ""
    seen: bool = False
    copies: tuple["Tile", ...] = ()
    more_copies: int = 0


@dataclass(frozen=True)
class ImageAddress:
    """The addresses of a row of a gallery: its JSON, page, image and thumbnail."""

    settings: Settings
    gallery: str
    row: int

    @property
    def json(self) -> str:
        return self.settings.url(f"/api{self._path}")

    @property
    def page(self) -> str:
        return self.settings.url(self._path)

    @property
    def image(self) -> str:
        return self.settings.url(f"/api{self._path}/image")

    @property
    def thumbnail(self) -> str:
        return self.settings.url(f"/api{self._path}/thumbnail")

    @property
    def _path(self) -> str:
        return f"/galleries/{self.gallery}/images/{self.row}"


def image_links(gallery: str, row: int, settings: Settings) -> dict[str, str]:
    """The addresses of a row's JSON, page, image and thumbnail, as JSON answers name them."""
    at = ImageAddress(settings, gallery, row)
    return {"self": at.json, "page": at.page, "image": at.image, "thumbnail": at.thumbnail}


def thumbnail(settings: Settings, gallery: str, row: int) -> str:
    """The address of a row's thumbnail."""
    return ImageAddress(settings, gallery, row).thumbnail


def gallery_picture(settings: Settings, gallery: str, pack: Pack, row: int) -> Picture:
    """An image of a gallery. Raises IndexError."""
    known = pack.row(row)
    src = ImageAddress(settings, gallery, row).image
    return Picture(
        src, known.jpeg_width, known.jpeg_height, f"row {row}, {known.label}" if known.label else f"row {row}"
    )


def upload_picture(services: Services, settings: Settings, upload: str) -> Picture:
    """An uploaded image. Raises NotFound."""
    image = services.uploads.open(upload)
    return Picture(settings.url(f"/uploads/{upload}.jpg"), image.width, image.height, "your image")


def some_rows(rows: int, *, shuffle: int, count: int) -> list[int]:
    """A few random rows of a gallery in ascending order; the same `shuffle` gives the same rows."""
    return sorted(random.Random(shuffle).sample(range(rows), min(count, rows)))


def labels(pack: Pack, rows: Sequence[int]) -> list[str | None]:
    """The label of each row, None where it has none."""
    return [known.label for known in pack.metadata(rows)]
