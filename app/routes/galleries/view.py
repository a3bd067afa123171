"""What the pages of galleries share: covers, the filter of the list, the way to neighbouring images, words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlencode

from app.jobs.records import JobRecord
from app.jobs.states import ENDED
from app.services.galleries.service import GalleryRecord, ImagePage
from app.services.services import Services
from app.settings import Settings

COVER: Final = 6  # thumbnails of a gallery in the list
SIZES: Final = {"small": 96, "medium": 128, "large": 192}  # of a tile, pixels
PAGE: Final = 120  # images on a page
BENCHES: Final = 50  # links to counting benches below an image
ORIGINS: Final = {
    "folder": "from a folder",
    "manifest": "from a manifest",
    "sample": "from the built-in sample",
    "countables": "generated scenes whose every object is known",
    "upload": "from uploads",
}

Size = Literal["small", "medium", "large"]


@dataclass(frozen=True)
class Filter:
    """Which images of a gallery a page shows, and how large; `path` is the address of the gallery's page."""

    path: str
    label: str | None = None
    split: str | None = None
    size: Size = "medium"

    def link(self, **changes: str | None) -> str:
        """The list with some of the filter changed; it begins at the first image."""
        return self._address(self.path, changes)

    def image(self, row: int) -> str:
        """The page of one image, whose neighbours are those in the filtered list."""
        return self._address(f"{self.path}/images/{row}", {})

    def state(self, changes: Mapping[str, str | None] | None = None) -> list[tuple[str, str]]:
        """The parameters of the address with some of them changed, without those at their default."""
        state = {"label": self.label, "split": self.split, "size": self.size if self.size != "medium" else None}
        return [(name, value) for name, value in {**state, **(changes or {})}.items() if value is not None]

    def _address(self, path: str, changes: Mapping[str, str | None]) -> str:
        query = urlencode(self.state(changes))
        return f"{path}?{query}" if query else path


def cover(gallery: GalleryRecord) -> list[int]:
    """A few rows of a gallery, spread over all of them."""
    shown = min(COVER, gallery.rows)
    return [index * gallery.rows // shown for index in range(shown)]


def unfinished(services: Services, gallery: GalleryRecord) -> JobRecord | None:
    """The gallery's latest import, unless it is done."""
    job = services.galleries.job(gallery)
    return None if job is None or job.state == "done" else job


def waiting(jobs: Sequence[JobRecord | None]) -> bool:
    """Whether a page should reload itself because a job has not ended."""
    return any(job is not None and job.state not in ENDED for job in jobs)


def seen(found: ImagePage) -> str:
    """`1,200 images`: how many the filter leaves."""
    return f"{found.total:,} image{'' if found.total == 1 else 's'}"


def facet_options(counts: Mapping[str, int], every: str) -> list[tuple[str, str]]:
    """The options of a menu: all, then each value with its number of images."""
    return [("", every), *((value, f"{value} ({count:,})") for value, count in counts.items())]


def origin(services: Services, gallery: GalleryRecord) -> str:
    """Where a gallery's images come from, in words."""
    if gallery.source["kind"] == "sample" and gallery.rows:
        photos = len(set(services.galleries.pack(gallery.slug).sources().tolist()))
        return f"multi-scale crops of {photos} photos that ship inside scikit-image"
    return ORIGINS[gallery.source["kind"]]


def neighbours_in_list(services: Services, gallery: str, row: int, view: Filter) -> tuple[int | None, int | None]:
    """The rows before and after this one in the filtered list, None at its ends."""
    pack = services.galleries.pack(gallery)
    if view.label is None and view.split is None:
        return (row - 1 if row > 0 else None), (row + 1 if row + 1 < len(pack) else None)
    chosen = pack.select(view.label, view.split)
    before, after = chosen[chosen < row], chosen[chosen > row]
    return (int(before[-1]) if len(before) else None), (int(after[0]) if len(after) else None)


def counting_checkpoints(services: Services) -> list[str]:
    """The slugs of the newest checkpoints that count."""
    return [record.slug for record in services.checkpoints.counting()[:BENCHES]]


def roots_note(settings: Settings) -> str:
    """What somebody who types a path has to know."""
    count = len(settings.roots)
    return (
        f"Absolute path on the server, below {'the folder' if count == 1 else f'the {count} folders'} of TESSERA_ROOTS."
    )
