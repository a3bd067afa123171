"""What is on the counting bench: a checkpoint, an image x, and the other image y that the loss needs."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypedDict

from app.failures import BadQuery, Conflict, NotFound
from app.routes.pictures import was_seen
from app.routes.queries import CountParams, address
from app.services.counting.readouts import NamedCounts, named_counts, readout_of
from app.services.counting.service import Counted, area_box
from app.services.counting.truth import CountTruth, count_truth
from app.services.services import Services
from app.services.uploads import QueryImage
from app.settings import Settings
from models.card import Card
from models.counting.mismatch import PairLoss
from models.geometry import Box
from models.scans.files import ScanReader


@dataclass(frozen=True)
class Bench:
    """The checkpoint on the bench with its scans, the gallery that other images come from, and how links are made."""

    slug: str
    card: Card
    params: CountParams
    settings: Settings
    scans: tuple[str, ...]
    gallery: str | None

    def link(self, **changes: object) -> str:
        """This page with one thing changed."""
        return address(self.settings.url(f"/checkpoints/{self.slug}/count"), self.params, changes)

    def image_link(self, row: int, gallery: str | None = None) -> str:
        """The bench of an image of the gallery, counted as the network crops it."""
        return self.link(gallery=gallery or self.gallery, row=row, upload=None, box=None, area=None, other=None)

    def api(self, below: str = "", /, **changes: object) -> str:
        """The JSON twin, or something below it, about the same image."""
        return address(self.settings.url(f"/api/checkpoints/{self.slug}/count{below}"), self.params, changes)

    @property
    def asked(self) -> bool:
        return self.params.row is not None or self.params.upload is not None


@dataclass(frozen=True)
class Partner:
    """The other image y of the loss, a row of a gallery, and what the loss makes of x and y."""

    gallery: str
    row: int
    counted: Counted
    loss: PairLoss


def open_bench(services: Services, settings: Settings, checkpoint: str, params: CountParams) -> Bench:
    """The bench of a checkpoint. Raises NotFound for it or the gallery, and Conflict where it has no counting head."""
    record = services.checkpoints.get(checkpoint)
    card = services.checkpoints.read_card(record)
    if not card.has_counts:
        raise Conflict("no_counts", f"{record.name} has no counting head, so there is nothing to add up.")
    if params.box is not None:  # a drawn box is what counts
        params = params.model_copy(update={"area": None})
    return Bench(checkpoint, card, params, settings, record.scans, _gallery(services, params, record.scans))


def readable(services: Services, scans: Sequence[str]) -> Iterator[tuple[str, ScanReader]]:
    """The scans that still fit their gallery and weights; the bench does without the others."""
    for scan in scans:
        with contextlib.suppress(Conflict, NotFound):
            yield scan, services.scans.reader(scan)


def query_image(services: Services, params: CountParams) -> QueryImage:
    """The image that the query string names. Raises BadQuery unless it names exactly one."""
    if (params.row is None) == (params.upload is None):
        raise BadQuery("one_image", "Give exactly one of `gallery` with `row`, and `upload`.")
    if params.upload is not None:
        return services.uploads.open(params.upload)
    if params.gallery is None:
        raise BadQuery("gallery_missing", "`row` needs the `gallery` that it belongs to.")
    return services.counting.gallery_image(params.gallery, params.row or 0)


def chosen_box(params: CountParams, image: QueryImage) -> Box | None:
    """The part of the image to count: a box, a share of the area, or None for the checkpoint's own crop."""
    if params.corners is not None:
        return params.corners
    return area_box(image, params.area) if params.area is not None else None


def count(bench: Bench, services: Services, image: QueryImage) -> Counted:
    """The image as the address wants it counted."""
    box = chosen_box(bench.params, image)
    return services.counting.count(bench.slug, image, kernel=bench.params.kernel, box=box)


def partner(bench: Bench, services: Services, counted: Counted) -> Partner | None:
    """The image y that the address names, or the one before x as in the training's batches; None where there is none.

    Raises BadQuery where y is x itself, NotFound for a row that is not there.
    """
    if bench.gallery is None:
        return None
    params, rows = bench.params, services.galleries.get(bench.gallery).rows
    usual = 0 if params.row is None else (params.row - 1) % max(rows, 1)
    row = usual if params.other is None else params.other
    if row == params.row or rows == 0:
        if params.other is None:
            return None  # a gallery of one image, or of none
        raise BadQuery("same_image", "`other` must be another image: an image is not to be told apart from itself.")
    image = services.counting.gallery_image(bench.gallery, row)
    other = services.counting.count(bench.slug, image, kernel=params.kernel)
    return Partner(bench.gallery, row, other, counted.against(other))


def truth(bench: Bench, services: Services, counted: Counted) -> CountTruth | None:
    """What is truly in the crop, where it is an image of a gallery that knows."""
    if bench.gallery is None or bench.params.row is None:
        return None
    pack = services.galleries.pack(bench.gallery)
    return count_truth(pack, bench.params.row, counted, services.scans, bench.scans, bench.gallery)


class Told(TypedDict):
    """What is said of a counted image beside its equation."""

    other: Partner | None
    truth: CountTruth | None
    named: NamedCounts | None


def told(bench: Bench, services: Services, counted: Counted) -> Told:
    """The other image of the loss, the truth, and the counts by their names, each where it is known."""
    known = truth(bench, services, counted)
    return Told(other=partner(bench, services, counted), truth=known, named=named(bench, services, counted, known))


def named(bench: Bench, services: Services, counted: Counted, known: CountTruth | None) -> NamedCounts | None:
    """The counts by the readout that was fitted on the gallery, else on another; None where there is none."""
    readout = readout_of(services.checkpoints.get(bench.slug), bench.gallery)
    return None if readout is None else named_counts(readout, counted, known)


def _gallery(services: Services, params: CountParams, scans: tuple[str, ...]) -> str | None:
    """The gallery to choose images from: the one asked for, a scanned one, or the newest with images."""
    if params.gallery is not None:
        return services.galleries.get(params.gallery).slug
    for _, reader in readable(services, scans):
        return reader.info.gallery
    return next((gallery.slug for gallery in services.galleries.filled()), None)


def seen(services: Services, checkpoint: str, params: CountParams, image: QueryImage) -> bool | None:
    """Whether the network was trained on the image; None where that is not known."""
    return was_seen(services, checkpoint, gallery=params.gallery, row=params.row, upload=params.upload, jpeg=image.jpeg)
