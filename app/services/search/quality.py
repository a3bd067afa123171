"""How well each layer of a scan retrieves, beside raw pixels, colours and the untrained network; kept once measured."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from app.services.galleries.control_spaces import LooksService
from app.services.galleries.seen import Seen, SeenService
from app.services.galleries.service import GalleriesService
from app.services.preparing import Arrays, Preparing
from app.services.scans.service import ScansService
from models.galleries.packs import Pack
from models.galleries.phash import Hashes
from models.random_init import NAME as UNTRAINED
from models.scans.files import ScanReader
from models.search.control_spaces import CONTROL_SPACES
from models.search.retrieval_facets import questions
from models.search.retrieval_quality import FacetScore, Measure, Quality, Task, measure

VERSION = 1
REFERENCE = "pixels"
UNTRAINED_PREFIX = f"{UNTRAINED}:"  # before a layer's name: the same layer of the network before training


@dataclass(frozen=True)
class Measured:
    """The scores of all spaces; None where there is nothing to measure by, or while they are being measured.

    `unseen`: over images that were not seen in training, of which there were enough.
    """

    quality: Quality | None = None
    preparing: bool = False
    unseen: bool = False

    def best(self, layers: tuple[str, ...]) -> str | None:
        """The layer that retrieves best; of equals the last."""
        if self.quality is None:
            return None
        return max(reversed(layers), key=self.quality.mean)

    def worse(self, space: str) -> tuple[str, ...]:
        """The facets by which a space does worse than raw pixels, beyond doubt: the interval leaves out zero."""
        scores: Mapping[str, FacetScore] = {} if self.quality is None else self.quality.scores.get(space, {})
        return tuple(facet for facet, score in scores.items() if score.gain.high < 0)


class QualityService:
    """Measures when first asked, over the rows that a search shows by default."""

    def __init__(
        self,
        scans: ScansService,
        galleries: GalleriesService,
        looks: LooksService,
        seen: SeenService,
        preparing: Preparing,
    ) -> None:
        self._scans = scans
        self._galleries = galleries
        self._looks = looks
        self._seen = seen
        self._preparing = preparing
        self._identity = lru_cache(maxsize=32)(_identity)

    def of(self, scan: str) -> Measured:
        """The scores of a scan's layers and of the spaces beside them. Raises NotFound, Conflict."""
        reader = self._scans.reader(scan)
        info = reader.info
        pack = self._galleries.pack(info.gallery)
        hashes, seen = self._looks.hashes(info.gallery), self._seen.find(info.checkpoint, info.gallery)
        if hashes is None or seen.preparing:
            return Measured(preparing=True)
        untrained = self.untrained(scan)
        scans = (self._identity(reader), untrained and self._identity(untrained))
        inputs = (VERSION, pack.fingerprint, scans, seen.count)
        found = self._preparing.get("quality", inputs, lambda: self._measure(reader, untrained, pack, hashes, seen))
        return Measured(preparing=True) if found is None else _read(found)

    def untrained(self, scan: str) -> ScanReader | None:
        """The scan of the network before any training over the same gallery, where there is one."""
        slug = self.untrained_slug(scan)
        return None if slug is None else self._scans.reader(slug)

    def untrained_slug(self, scan: str) -> str | None:
        """Its slug, the newest of several; None also for that scan itself."""
        info = self._scans.reader(scan).info
        if info.checkpoint == UNTRAINED:
            return None
        scans = self._galleries.scans(info.gallery)
        return next((slug for slug, checkpoint in scans if checkpoint == UNTRAINED), None)

    def _measure(
        self, reader: ScanReader, untrained: ScanReader | None, pack: Pack, hashes: Hashes, seen: Seen
    ) -> Arrays:
        rows = reader.rows if untrained is None else min(reader.rows, untrained.rows)
        allowed = seen.first(rows).unseen()
        spaces: dict[str, Any] = {layer: reader.embeddings(layer)[:rows] for layer in reader.layers}
        for space in CONTROL_SPACES:
            spaces[space] = self._looks.wait(reader.info.gallery, space)[:rows]
        if untrained is not None:
            for layer in (name for name in untrained.layers if name in reader.layers):
                spaces[UNTRAINED_PREFIX + layer] = untrained.embeddings(layer)[:rows]
        everything = np.ones(rows, dtype=np.bool_)
        for question in questions(pack, rows):
            for chosen in (everything,) if allowed is None else (allowed, everything):
                task = Task(question.facets, chosen, question.sources, hashes[:rows])
                found = measure(spaces, task, reference=REFERENCE)
                if found is not None:
                    text = json.dumps({"unseen": chosen is allowed, **asdict(found)})
                    return {"quality": np.array(text)}
        return {"quality": np.array("null")}


def _identity(reader: ScanReader) -> str:
    """What was scanned and how; the reader is kept, so this is done once."""
    return repr(asdict(reader.info))


def _read(arrays: Arrays) -> Measured:
    raw = json.loads(str(arrays["quality"]))
    if raw is None:
        return Measured()
    scores = {
        space: {facet: _score(score) for facet, score in facets.items()} for space, facets in raw["scores"].items()
    }
    return Measured(Quality(raw["queries"], raw["database"], raw["chance"], scores), unseen=raw["unseen"])


def _score(raw: dict[str, Any]) -> FacetScore:
    return FacetScore(Measure(**raw["precision"]), Measure(**raw["gain"]), raw["voted"])
