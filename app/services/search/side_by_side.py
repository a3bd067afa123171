"""The same query in several spaces, side by side, so that learned features can be compared with controls."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from app.failures import Busy
from app.services.scans.service import OpenScan
from app.services.search.aids import ChosenSpace, SearchAids, default_layer
from app.services.search.service import Found, SearchOptions, SearchService
from models.geometry import Box
from models.random_init import NAME as UNTRAINED
from models.search.control_spaces import CONTROL_SPACES

BESIDE = (*CONTROL_SPACES, UNTRAINED)
State = Literal["ready", "preparing", "unscanned"]


@dataclass(frozen=True)
class SpaceRow:
    """The neighbours in one space, which is a layer, "pixels", "colours" or "random-init".

    `scan` and `layer` are those that were searched. `found` is None while something is being prepared, or where the
    untrained network was not scanned. `worse` are the facets by which the space retrieves worse than raw pixels.
    """

    space: str
    scan: str
    layer: str
    state: State
    found: Found | None = None
    worse: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """The query image: a row of the gallery, or a JPEG as a gallery stores it; `box` None means all of it."""

    row: int | None = None
    jpeg: bytes | None = None
    box: Box | None = None


class SearchPanels:
    """Searches the same image in several spaces."""

    def __init__(self, search: SearchService, aids: SearchAids) -> None:
        self._search = search
        self._aids = aids

    def panel(self, scan: OpenScan, image: Image, *, k: int) -> tuple[SpaceRow, ...]:
        """The spaces on the first page: counts where the scan has them, the last convolution, and raw pixels."""
        counts = [layer.name for layer in scan.info.layers if layer.kind == "counts"]
        spaces = (*counts, default_layer(scan.reader), "pixels")
        chosen = self._aids.choose(scan, None)
        return tuple(self.row(scan, space, image, SearchOptions(k=k), chosen) for space in spaces)

    def row(self, scan: OpenScan, space: str, image: Image, asked: SearchOptions, chosen: ChosenSpace) -> SpaceRow:
        """The neighbours in one space; "random-init" is searched in the layer of `chosen`, the search beside it."""
        searched, name, layer = scan, space, space
        if space == UNTRAINED:
            layer = default_layer(scan.reader) if chosen.layer in CONTROL_SPACES else chosen.layer
            if chosen.untrained is None or layer not in chosen.untrained.reader.layers:
                return SpaceRow(space, scan.slug, layer, "unscanned")
            searched, name = chosen.untrained, f"{UNTRAINED}:{layer}"
        found = _patiently(lambda: self._ask(searched, image, replace(asked, layer=layer, beside=scan)))
        state: State = "preparing" if found is None else "ready"
        return SpaceRow(space, searched.slug, layer, state, found, chosen.measured.worse(name))

    def _ask(self, scan: OpenScan, image: Image, asked: SearchOptions) -> Found:
        if image.row is not None:
            return self._search.by_row(scan, image.row, asked, box=image.box)
        return self._search.by_image(scan, image.jpeg or b"", asked, box=image.box)


def _patiently(ask: Callable[[], Found]) -> Found | None:
    try:
        return ask()
    except Busy:
        return None
