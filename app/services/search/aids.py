"""What a search needs besides distances: the best layer, the images seen in training, and near copies."""

from dataclasses import dataclass
from typing import Literal

from app.failures import BadQuery, Busy
from app.services.galleries.control_spaces import ControlSpacesService
from app.services.galleries.seen import Seen, SeenService
from app.services.galleries.service import GalleriesService
from app.services.scans.service import OpenScan, ScansService
from app.services.search.quality import Measured, QualityService
from models.card import last_conv
from models.galleries.phash import Hashes
from models.random_init import NAME as UNTRAINED
from models.scans.files import ScanReader
from models.search.control_spaces import CONTROL_SPACES, ControlSpace
from models.search.index import Floats

Why = Literal["asked", "best", "measuring", "unmeasured"]


@dataclass(frozen=True)
class ChosenSpace:
    """The layer or space that is searched, why it was chosen, and the measurements behind the choice.

    `untrained` is the scan of the untrained network over the same gallery, where there is one.
    """

    layer: str
    why: Why
    measured: Measured
    untrained: OpenScan | None = None


class SearchAids:
    """Finds out what a search needs to know about a scan; slow answers are prepared once, in the background."""

    def __init__(
        self,
        scans: ScansService,
        galleries: GalleriesService,
        control_spaces: ControlSpacesService,
        seen: SeenService,
        quality: QualityService,
    ) -> None:
        self._scans = scans
        self._galleries = galleries
        self._control_spaces = control_spaces
        self._seen = seen
        self._quality = quality

    def layer(self, scan: OpenScan, wanted: str | None) -> str:
        """The layer or space to search by: the one asked for, else the best measured, else the last convolution.

        Raises BadQuery, which names all layers and spaces, for an unknown one.
        """
        return self.choose(scan, None).layer if wanted is None else _known(scan, wanted)

    def choose(self, scan: OpenScan, wanted: str | None) -> ChosenSpace:
        """The same as `layer`, with the reason and the measurements. Raises BadQuery."""
        asked = None if wanted is None else _known(scan, wanted)
        untrained = self._untrained(scan)
        measured = self._quality.of(scan, untrained)
        if asked is not None:
            return ChosenSpace(asked, "asked", measured, untrained)
        best = measured.best(scan.reader.layers)
        if best is not None:
            return ChosenSpace(best, "best", measured, untrained)
        why: Why = "measuring" if measured.preparing else "unmeasured"
        return ChosenSpace(default_layer(scan.reader), why, measured, untrained)

    def seen(self, scan: OpenScan, rows: int | None = None) -> Seen:
        """Which of the scanned rows, or of the gallery's first `rows`, the network of the scan was trained on."""
        return self._seen.find(scan.checkpoint, scan.pack).first(scan.reader.rows if rows is None else rows)

    def hashes(self, scan: OpenScan) -> Hashes | None:
        """A 64-bit hash of what each scanned row looks like; None while the hashes are being prepared."""
        found = self._control_spaces.hashes(scan.pack)
        return None if found is None else found[: scan.reader.rows]

    def control(self, scan: OpenScan, space: ControlSpace) -> Floats:
        """The vectors of the scanned rows in a space without a network. Raises Busy while they are being prepared."""
        found = self._control_spaces.space(scan.pack, space)
        if found is None:
            raise Busy("preparing", "The gallery's pixels and colours are being prepared.")
        return found[: scan.reader.rows]

    def _untrained(self, scan: OpenScan) -> OpenScan | None:
        """The newest scan of the untrained network over the same gallery; None where the scan is one itself."""
        if scan.record.checkpoint == UNTRAINED:
            return None
        scans = self._galleries.scans(scan.gallery)
        slug = next((slug for slug, checkpoint in scans if checkpoint == UNTRAINED), None)
        return None if slug is None else self._scans.open(slug)


def _known(scan: OpenScan, wanted: str) -> str:
    """The layer or space asked for. Raises BadQuery, which names all of them, for an unknown one."""
    spaces = (*scan.reader.layers, *CONTROL_SPACES)
    if wanted not in spaces:
        raise BadQuery("unknown_layer", f"This scan has no layer {wanted[:80]!r}: {', '.join(spaces)}.")
    return wanted


def default_layer(reader: ScanReader) -> str:
    """The last convolution of the scan, else its last layer."""
    return (last_conv(reader.info.layers) or reader.info.layers[-1]).name
