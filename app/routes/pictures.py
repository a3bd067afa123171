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


@dataclass(frozen=True)
class ImageAddress:
    """Where a row of a gallery is found, as clients see it: its JSON, page, image and thumbnail."""

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
    """Where a row's JSON, page, image and thumbnail are."""
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
    """A few rows of a gallery: the same for the same number, others for the next."""
    return sorted(random.Random(shuffle).sample(range(rows), min(count, rows)))


def labels(pack: Pack, rows: Sequence[int]) -> list[str | None]:
    """The label of each row, where it has one."""
    return [known.label for known in pack.metadata(rows)]
