"""What a search knows besides distances: which layer is best, what was seen in training, what looks the same."""

from dataclasses import dataclass
from typing import Literal

from app.failures import BadQuery, Busy
from app.services.galleries.control_spaces import LooksService
from app.services.galleries.seen import Seen, SeenService
from app.services.search.quality import Measured, QualityService
from models.galleries.phash import Hashes
from models.scans.files import ScanReader
from models.search.control_spaces import CONTROL_SPACES, ControlSpace
from models.search.index import Floats

Why = Literal["asked", "best", "measuring", "unmeasured"]


@dataclass(frozen=True)
class Chosen:
    """The layer that is searched by, why that one, and the measurements behind it."""

    layer: str
    why: Why
    measured: Measured


class SearchAids:
    """Answers about a scan; each is prepared once, and says so while it is."""

    def __init__(self, looks: LooksService, seen: SeenService, quality: QualityService) -> None:
        self._looks = looks
        self._seen = seen
        self._quality = quality

    def layer(self, scan: str, reader: ScanReader, wanted: str | None) -> str:
        """The layer or space to search by: the one asked for, else the best measured, else the last convolution.

        Raises BadQuery naming the layers and spaces there are.
        """
        spaces = (*reader.layers, *CONTROL_SPACES)
        if wanted is not None and wanted not in spaces:
            raise BadQuery("unknown_layer", f"This scan has no layer {wanted[:80]!r}: {', '.join(spaces)}.")
        return wanted or self._quality.of(scan).best(reader.layers) or last_conv(reader)

    def choose(self, scan: str, reader: ScanReader, wanted: str | None) -> Chosen:
        """The same with the reason and the measurements. Raises BadQuery."""
        measured, layer = self._quality.of(scan), self.layer(scan, reader, wanted)
        if wanted is not None:
            return Chosen(layer, "asked", measured)
        if measured.quality is not None:
            return Chosen(layer, "best", measured)
        return Chosen(layer, "measuring" if measured.preparing else "unmeasured", measured)

    def seen(self, reader: ScanReader, rows: int | None = None) -> Seen:
        """Which of the scanned rows, or of the gallery's first `rows`, the network of the scan was trained on."""
        found = self._seen.find(reader.info.checkpoint, reader.info.gallery)
        return found.first(reader.rows if rows is None else rows)

    def hashes(self, reader: ScanReader) -> Hashes | None:
        """What each scanned row looks like."""
        found = self._looks.hashes(reader.info.gallery)
        return None if found is None else found[: reader.rows]

    def control(self, reader: ScanReader, space: ControlSpace) -> Floats:
        """The scanned rows in a space without a network. Raises Busy while they are prepared."""
        found = self._looks.space(reader.info.gallery, space)
        if found is None:
            raise Busy("preparing", "The gallery's pixels and colours are being prepared.")
        return found[: reader.rows]

    def untrained(self, scan: str) -> str | None:
        """The scan of the untrained network over the same gallery."""
        return self._quality.untrained_slug(scan)


def last_conv(reader: ScanReader) -> str:
    """The last convolution of the scan, else its last layer."""
    return next((layer.name for layer in reversed(reader.info.layers) if layer.kind == "conv"), reader.layers[-1])
