"""What the counting bench works on: a checkpoint, an image x, and the other image y that the loss needs."""

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
from app.services.query_images import QueryImage
from app.services.scans.service import OpenScan
from app.services.services import Services
from app.settings import Settings
from models.counting.mismatch import PairLoss
from models.galleries.packs import Pack
from models.geometry import Box


@dataclass(frozen=True)
class OpenGallery:
    """A gallery with its pack of images."""

    record: GalleryRecord
    pack: Pack

    @property
    def slug(self) -> str:
        return self.record.slug


@dataclass(frozen=True)
class Bench:
    """The checkpoint, the parameters of the address, and `source`, the gallery that images are chosen from.

    `source` is None if no gallery has images.
    """

    checkpoint: OpenCheckpoint
    params: CountParams
    settings: Settings
    source: OpenGallery | None

    @property
    def slug(self) -> str:
        return self.checkpoint.slug

    @property
    def gallery(self) -> str | None:
        """The slug of `source`."""
        return None if self.source is None else self.source.slug

    def link(self, **changes: object) -> str:
        """The address of this page with some of its parameters changed; a change to None drops one."""
        return address(self.settings.url(f"/checkpoints/{self.slug}/count"), self.params, changes)

    def image_link(self, row: int, gallery: str | None = None) -> str:
        """The address of the bench with a row of the gallery, counted in the network's own crop."""
        return self.link(gallery=gallery or self.gallery, row=row, upload=None, box=None, area=None, other=None)

    def api(self, below: str = "", /, **changes: object) -> str:
        """The address of the JSON about the same image, or of something `below` it."""
        return address(self.settings.url(f"/api/checkpoints/{self.slug}/count{below}"), self.params, changes)

    @property
    def asked(self) -> bool:
        return self.params.row is not None or self.params.upload is not None


@dataclass(frozen=True)
class Partner:
    """The other image y of the loss, a row of a gallery; its counts, and the loss of x and y."""

    gallery: str
    row: int
    counted: Counted
    loss: PairLoss


def open_bench(services: Services, settings: Settings, checkpoint: OpenCheckpoint, params: CountParams) -> Bench:
    """The bench of a checkpoint. Raises NotFound for an unknown gallery, and Conflict without a counting head."""
    if not checkpoint.card.has_counts:
        message = f"{checkpoint.record.name} has no counting head, so there is nothing to add up."
        raise Conflict("no_counts", message)
    if params.box is not None:  # a box goes before a share of the area
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
    """The part of the image to count: the given box, a share of the area, or None for the checkpoint's own crop."""
    if params.corners is not None:
        return params.corners
    return area_box(image, params.area) if params.area is not None else None


def count(bench: Bench, services: Services, image: QueryImage) -> Counted:
    """The counts of the image, with the kernel and the part of it that the address names."""
    box = chosen_box(bench.params, image)
    return services.counting.count(bench.checkpoint, image, kernel=bench.params.kernel, box=box)


def partner(bench: Bench, services: Services, counted: Counted) -> Partner | None:
    """The image y that the address names, else the row before x, as in the batches of the training.

    None if the gallery has no other image. Raises BadQuery if y is x itself, NotFound for a row that is not there.
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
    """What is truly in the crop, None if that is not known of the image; `scans` are those of the checkpoint."""
    if bench.source is None or bench.params.row is None:
        return None
    return count_truth(bench.source.pack, bench.params.row, counted, scans, bench.source.slug)


class Told(TypedDict):
    """What is said of a counted image beside its equation; each is None if it is not known."""

    other: Partner | None
    truth: CountTruth | None
    named: NamedCounts | None


def told(bench: Bench, services: Services, counted: Counted) -> Told:
    """The other image of the loss, the truth, and the counts by their names, each if it is known."""
    known = truth(bench, services.scans.of(bench.checkpoint.record), counted)
    return Told(other=partner(bench, services, counted), truth=known, named=named(bench, counted, known))


def named(bench: Bench, counted: Counted, known: CountTruth | None) -> NamedCounts | None:
    """The counts by the readout that was fitted on the gallery, else by another one; None without any."""
    readout = readout_of(bench.checkpoint.record, bench.gallery)
    return None if readout is None else named_counts(readout, counted, known)


def open_gallery(services: Services, slug: str) -> OpenGallery:
    """The gallery of that slug. Raises NotFound."""
    record = services.galleries.get(slug)
    return OpenGallery(record, services.galleries.open(record))


def _source(services: Services, params: CountParams, checkpoint: OpenCheckpoint) -> OpenGallery | None:
    """The gallery to choose images from: the one asked for, else a scanned one, else the newest with images."""
    if params.gallery is not None:
        return open_gallery(services, params.gallery)
    scan = next(services.scans.of(checkpoint.record), None)
    if scan is not None:
        return open_gallery(services, scan.gallery)
    newest = next(iter(services.galleries.filled()), None)
    return None if newest is None else open_gallery(services, newest.slug)


def seen(services: Services, bench: Bench, image: QueryImage) -> bool | None:
    """Whether the checkpoint was trained on the image; None if that is not known."""
    params, network = bench.params, bench.checkpoint.record
    if params.gallery is not None and params.row is not None and bench.source is not None:
        found = services.seen.find(network, bench.source.pack)
        return None if found.rows is None else params.row in found
    return services.seen.image(network, image.jpeg, sha256=params.upload or "0")
