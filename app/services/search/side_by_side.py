"""The same query in several spaces, side by side: a learned one means something only next to what is there for free."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from app.failures import Busy
from app.services.scans.service import ScansService
from app.services.search.defaults import SearchAids, last_conv
from app.services.search.service import Asked, Found, SearchService
from models.geometry import Box
from models.random_init import NAME as UNTRAINED
from models.search.control_spaces import CONTROL_SPACES

PANEL_K = 6
BESIDE = (*CONTROL_SPACES, UNTRAINED)
State = Literal["ready", "preparing", "unscanned"]


@dataclass(frozen=True)
class SpaceRow:
    """The neighbours in one space; `found` is None while something is prepared, or where a scan is missing.

    `scan` is the one searched, `layer` the layer of it; `space` names a layer, "pixels", "colours" or "random-init".
    `worse` are the facets by which the space does worse than raw pixels.
    """

    space: str
    scan: str
    layer: str
    state: State
    found: Found | None = None
    worse: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """What is asked about: a row of the gallery, or a JPEG as a gallery stores it; `box` is a part of either."""

    row: int | None = None
    jpeg: bytes | None = None
    box: Box | None = None


class SearchPanels:
    """Rows of neighbours by space."""

    def __init__(self, search: SearchService, scans: ScansService, aids: SearchAids) -> None:
        self._search = search
        self._scans = scans
        self._aids = aids

    def panel(self, scan: str, image: Image, *, k: int = PANEL_K) -> tuple[SpaceRow, ...]:
        """What the first screen shows: counts where the scan has them, the last convolution, raw pixels."""
        reader = self._scans.reader(scan)
        spaces = [layer.name for layer in reader.info.layers if layer.kind == "counts"]
        return tuple(self.row(scan, space, image, Asked(k=k)) for space in (*spaces, last_conv(reader), "pixels"))

    def row(self, scan: str, space: str, image: Image, asked: Asked) -> SpaceRow:
        """The neighbours in one space; for "random-init" in the layer asked for, or the one searched by default."""
        reader = self._scans.reader(scan)
        chosen = self._aids.choose(scan, reader, asked.layer if space == UNTRAINED else space)
        searched, name = scan, space
        if space == UNTRAINED:
            untrained = self._aids.untrained(scan)
            layer = last_conv(reader) if chosen.layer in CONTROL_SPACES else chosen.layer
            if untrained is None or layer not in self._scans.reader(untrained).layers:
                return SpaceRow(space, scan, layer, "unscanned")
            searched, name = untrained, f"{UNTRAINED}:{layer}"
        else:
            layer = space
        found = _patiently(lambda: self._ask(searched, image, replace(asked, layer=layer, beside=scan)))
        state: State = "preparing" if found is None else "ready"
        return SpaceRow(space, searched, layer, state, found, chosen.measured.worse(name))

    def _ask(self, scan: str, image: Image, asked: Asked) -> Found:
        if image.row is not None:
            return self._search.by_row(scan, image.row, asked, box=image.box)
        return self._search.by_image(scan, image.jpeg or b"", asked, box=image.box)


def _patiently(ask: Callable[[], Found]) -> Found | None:
    try:
        return ask()
    except Busy:
        return None
