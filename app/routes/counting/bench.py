"""What is on the counting bench: a checkpoint, an image x, and the other image y that the loss needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from app.failures import BadQuery, Conflict
from app.routes.queries import CountParams, address
from app.services.checkpoints.service import OpenCheckpoint
from app.services.counting.readouts import NamedCounts, named_counts, readout_of
from app.services.counting.service import Counted, area_box, gallery_image
from app.services.counting.truth import CountTruth, count_truth
from app.services.galleries.service import GalleryRecord
from app.services.scans.service import OpenScan
from app.services.services import Services
from app.services.uploads import QueryImage
from app.settings import Settings
from models.counting.mismatch import PairLoss
from models.galleries.packs import Pack
from models.geometry import Box


@dataclass(frozen=True)
class OpenGallery:
    """A gallery with its images."""

    record: GalleryRecord
    pack: Pack

    @property
    def slug(self) -> str:
        return self.record.slug


@dataclass(frozen=True)
class Bench:
    """The checkpoint on the bench, the gallery that other images come from, and how links are made."""

    checkpoint: OpenCheckpoint
    params: CountParams
    settings: Settings
    source: OpenGallery | None

    @property
    def slug(self) -> str:
        return self.checkpoint.slug

    @property
    def gallery(self) -> str | None:
        """The slug of the gallery."""
        return None if self.source is None else self.source.slug

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


def open_bench(services: Services, settings: Settings, checkpoint: OpenCheckpoint, params: CountParams) -> Bench:
    """The bench of a checkpoint. Raises NotFound for the gallery, and Conflict where it has no counting head."""
    if not checkpoint.card.has_counts:
        message = f"{checkpoint.record.name} has no counting head, so there is nothing to add up."
        raise Conflict("no_counts", message)
    if params.box is not None:  # a drawn box is what counts
        params = params.model_copy(update={"area": None})
    return Bench(checkpoint, params, settings, _source(services, params, checkpoint))


def query_image(services: Services, params: CountParams, source: OpenGallery | None) -> QueryImage:
    """The image that the query string names, of the gallery `source`. Raises BadQuery unless it names exactly one."""
    if (params.row is None) == (params.upload is None):
        raise BadQuery("one_image", "Give exactly one of `gallery` with `row`, and `upload`.")
    if params.upload is not None:
        return services.uploads.open(params.upload)
    if params.gallery is None or source is None:
        raise BadQuery("gallery_missing", "`row` needs the `gallery` that it belongs to.")
    return gallery_image(source.slug, source.pack, params.row or 0)


def chosen_box(params: CountParams, image: QueryImage) -> Box | None:
    """The part of the image to count: a box, a share of the area, or None for the checkpoint's own crop."""
    if params.corners is not None:
        return params.corners
    return area_box(image, params.area) if params.area is not None else None


def count(bench: Bench, services: Services, image: QueryImage) -> Counted:
    """The image as the address wants it counted."""
    box = chosen_box(bench.params, image)
    return services.counting.count(bench.checkpoint, image, kernel=bench.params.kernel, box=box)


def partner(bench: Bench, services: Services, counted: Counted) -> Partner | None:
    """The image y that the address names, or the one before x as in the training's batches; None where there is none.

    Raises BadQuery where y is x itself, NotFound for a row that is not there.
    """
    if bench.source is None:
        return None
    params, rows = bench.params, bench.source.record.rows
    usual = 0 if params.row is None else (params.row - 1) % max(rows, 1)
    row = usual if params.other is None else params.other
    if row == params.row or rows == 0:
        if params.other is None:
            return None  # a gallery of one image, or of none
        raise BadQuery("same_image", "`other` must be another image: an image is not to be told apart from itself.")
    image = gallery_image(bench.source.slug, bench.source.pack, row)
    other = services.counting.count(bench.checkpoint, image, kernel=params.kernel)
    return Partner(bench.source.slug, row, other, counted.against(other))


def truth(bench: Bench, scans: Iterable[OpenScan], counted: Counted) -> CountTruth | None:
    """What is truly in the crop, where it is an image of a gallery that knows; `scans` are the checkpoint's."""
    if bench.source is None or bench.params.row is None:
        return None
    return count_truth(bench.source.pack, bench.params.row, counted, scans, bench.source.slug)


class Told(TypedDict):
    """What is said of a counted image beside its equation."""

    other: Partner | None
    truth: CountTruth | None
    named: NamedCounts | None


def told(bench: Bench, services: Services, counted: Counted) -> Told:
    """The other image of the loss, the truth, and the counts by their names, each where it is known."""
    known = truth(bench, services.scans.of(bench.checkpoint.record), counted)
    return Told(other=partner(bench, services, counted), truth=known, named=named(bench, counted, known))


def named(bench: Bench, counted: Counted, known: CountTruth | None) -> NamedCounts | None:
    """The counts by the readout that was fitted on the gallery, else on another; None where there is none."""
    readout = readout_of(bench.checkpoint.record, bench.gallery)
    return None if readout is None else named_counts(readout, counted, known)


def open_gallery(services: Services, slug: str) -> OpenGallery:
    """The gallery of that slug. Raises NotFound."""
    record = services.galleries.get(slug)
    return OpenGallery(record, services.galleries.open(record))


def _source(services: Services, params: CountParams, checkpoint: OpenCheckpoint) -> OpenGallery | None:
    """The gallery to choose images from: the one asked for, a scanned one, or the newest with images."""
    if params.gallery is not None:
        return open_gallery(services, params.gallery)
    scan = next(services.scans.of(checkpoint.record), None)
    if scan is not None:
        return open_gallery(services, scan.gallery)
    newest = next(iter(services.galleries.filled()), None)
    return None if newest is None else open_gallery(services, newest.slug)


def seen(services: Services, bench: Bench, image: QueryImage) -> bool | None:
    """Whether the network was trained on a row, an upload or an image sent along; None where that is not known."""
    params, network = bench.params, bench.checkpoint.record
    if params.gallery is not None and params.row is not None and bench.source is not None:
        found = services.seen.find(network, bench.source.pack)
        return None if found.rows is None else params.row in found
    return services.seen.image(network, image.jpeg, sha256=params.upload or "0")
