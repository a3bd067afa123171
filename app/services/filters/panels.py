"""The panels of the filters page: first-layer filters at the start and now, and k-means centroids to compare with."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.failures import Busy, NotFound
from app.services.checkpoints.first_layers import FirstLayer, LayerFilters, Sort, panel_of
from app.services.checkpoints.service import CheckpointsService, OpenCheckpoint
from app.services.galleries.service import GalleriesService, GalleryRecord
from app.services.preparing import Preparing
from models.filters import patches as patch_filters
from models.filters import pictures as filter_pictures
from models.filters.pictures import Scale
from models.galleries.packs import Pack

VERSION = 1  # number of the way in which centroids are computed


@dataclass(frozen=True)
class KMeansPanel:
    """Centroids of whitened patches of a gallery, as many and as large as the filters.

    `panel` is None while they are being computed.
    """

    gallery: str
    panel: LayerFilters | None


@dataclass(frozen=True)
class FilterPictures:
    """Filters as pictures in `data:` addresses, and the median total-variation ratio (`_tv`) of each panel.

    `now` and `start` show the same filters in the same order and scale. `start` is None where the training did not keep
    it; `kmeans` is None where it cannot be computed, or not yet. `noise_tv` is the ratio of noise.
    """

    now: tuple[str, ...]
    now_tv: float
    start: tuple[str, ...] | None
    start_tv: float | None
    kmeans: tuple[str, ...] | None
    kmeans_tv: float | None
    noise_tv: float


class FilterPanels:
    """Makes the panels of first-layer filters, and of k-means on the same images as a control without a network."""

    def __init__(self, checkpoints: CheckpointsService, galleries: GalleriesService, preparing: Preparing) -> None:
        self._checkpoints = checkpoints
        self._galleries = galleries
        self._preparing = preparing

    def kmeans(self, checkpoint: OpenCheckpoint, gallery: str | None = None) -> KMeansPanel | None:
        """K-means of whitened patches, of the gallery that was trained on or else of the newest one with images.

        None where no gallery has enough images, or the filters are not square or have no three channels. Raises
        NotFound.
        """
        layer = self._checkpoints.first_layer(checkpoint)
        units, channels, height, width = layer.trained.weights.shape
        found = self._gallery(checkpoint, gallery)
        if found is None or channels != 3 or height != width:
            return None
        pack = self._galleries.open(found)
        inputs = (VERSION, pack.fingerprint, height, units)
        try:
            made = self._preparing.get("patches", inputs, partial(_compute, pack, height, units))
        except ValueError:
            return None
        return KMeansPanel(found.slug, None if made is None else panel_of(made["filters"], layer.noise))

    def pictures(
        self, checkpoint: OpenCheckpoint, *, limit: int = 24, gallery: str | None = None, sort: Sort = "change"
    ) -> FilterPictures:
        """The first `limit` filters of each panel as pictures. Raises NotFound, Conflict."""
        layer = self._checkpoints.first_layer(checkpoint)
        made = self.kmeans(checkpoint, gallery)
        panel = None if made is None else made.panel
        start = layer.pixels("step0", "common")
        shown = layer.order(sort)[:limit]
        now = layer.pixels("trained", "common")
        assert now is not None
        return FilterPictures(
            now=_addresses(now, shown),
            now_tv=layer.trained.smoothness.median,
            start=None if start is None else _addresses(start, shown),
            start_tv=None if layer.step0 is None else layer.step0.smoothness.median,
            kmeans=None if panel is None else _addresses(kmeans_pixels(panel, "common"), range(limit)),
            kmeans_tv=None if panel is None else panel.smoothness.median,
            noise_tv=layer.noise["tv_ratio"],
        )

    def kmeans_png(self, checkpoint: OpenCheckpoint, *, scale: Scale, zoom: int, gallery: str | None = None) -> bytes:
        """All centroids as one PNG. Raises NotFound, and Busy while they are being computed."""
        made = self.kmeans(checkpoint, gallery)
        if made is None:
            raise NotFound("no_patches", "There is no gallery with enough images to take patches from.")
        if made.panel is None:
            raise Busy("preparing", "The patches are being clustered; try again in a few seconds.")
        return filter_pictures.png(filter_pictures.grid(kmeans_pixels(made.panel, scale), zoom=zoom))

    def _gallery(self, checkpoint: OpenCheckpoint, asked: str | None) -> GalleryRecord | None:
        """The gallery asked for, that of the checkpoint's training, or the newest one with images."""
        if asked is not None:
            return self._galleries.get(asked)
        filled = [gallery.slug for gallery in self._galleries.filled()]
        trained_on = str(checkpoint.card.provenance.get("gallery"))
        slug = trained_on if trained_on in filled else next(iter(filled), None)
        return None if slug is None else self._galleries.get(slug)


def kmeans_pixels(panel: LayerFilters, scale: Scale) -> filter_pictures.Pixels:
    """Pictures of centroids; these all have unit length, so they need no scale in common with the filters."""
    return filter_pictures.pixels(panel.weights, scale)


def _compute(pack: Pack, size: int, count: int) -> dict[str, NDArray[np.float32]]:
    pictures = patch_filters.PATCHES // patch_filters.A_PICTURE
    rows = np.random.default_rng(0).permutation(len(pack))[:pictures]
    return {"filters": patch_filters.whitened_kmeans((pack.jpeg(int(row)) for row in rows), size=size, count=count)}


def _addresses(pixels: filter_pictures.Pixels, numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple(data_address(pixels[number]) for number in numbers if number < len(pixels))


def data_address(picture: filter_pictures.Pixels) -> str:
    """A small picture as a `data:` address, which needs no further request."""
    return f"data:image/png;base64,{base64.b64encode(filter_pictures.png(picture)).decode()}"


def ordered(layer: FirstLayer, sort: Sort | None) -> Sort:
    """The order of a page: the one asked for, or the default where none is or the checkpoint cannot have it."""
    return layer.sort if sort is None or (sort == "change" and layer.change is None) else sort
