"""How well each layer of a scan retrieves, compared with raw pixels, colours and the untrained network."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from app.services.galleries.control_spaces import ControlSpacesService
from app.services.galleries.seen import Seen, SeenService
from app.services.preparing import Arrays, Preparing
from app.services.scans.service import OpenScan
from models.galleries.phash import Hashes
from models.random_init import NAME as UNTRAINED
from models.scans.files import ScanReader
from models.search.control_spaces import CONTROL_SPACES
from models.search.retrieval_facets import questions
from models.search.retrieval_quality import FacetScore, Quality, RetrievalQueries, measure
from models.statistics import Estimate

VERSION = 1
REFERENCE = "pixels"
UNTRAINED_PREFIX = f"{UNTRAINED}:"  # before the name of a layer of the untrained network


@dataclass(frozen=True)
class Measured:
    """The scores of all spaces.

    `quality` is None while it is being measured (`preparing`), and where the gallery has no facets to measure by.
    `unseen` says that only images not seen in training were used; otherwise there were too few of them.
    """

    quality: Quality | None = None
    preparing: bool = False
    unseen: bool = False

    def best(self, layers: tuple[str, ...]) -> str | None:
        """The layer with the best mean score, of equal ones the last; None where nothing was measured."""
        if self.quality is None:
            return None
        return max(reversed(layers), key=self.quality.mean)

    def worse(self, space: str) -> tuple[str, ...]:
        """The facets by which a space is worse than raw pixels: those whose interval lies below zero."""
        scores: Mapping[str, FacetScore] = {} if self.quality is None else self.quality.scores.get(space, {})
        return tuple(facet for facet, score in scores.items() if score.gain.high < 0)


class QualityService:
    """Measures retrieval when first asked, over the rows that a search shows by default, and keeps the result."""

    def __init__(self, control_spaces: ControlSpacesService, seen: SeenService, preparing: Preparing) -> None:
        self._control_spaces = control_spaces
        self._seen = seen
        self._preparing = preparing
        self._identity = lru_cache(maxsize=32)(_identity)

    def of(self, scan: OpenScan, untrained: OpenScan | None) -> Measured:
        """The scores of a scan's layers, of the spaces without a network, and of the untrained network's layers."""
        hashes, seen = self._control_spaces.hashes(scan.pack), self._seen.find(scan.checkpoint, scan.pack)
        if hashes is None or seen.preparing:
            return Measured(preparing=True)
        before = None if untrained is None else untrained.reader
        scans = (self._identity(scan.reader), before and self._identity(before))
        inputs = (VERSION, scan.pack.fingerprint, scans, seen.count)
        found = self._preparing.get("quality", inputs, lambda: self._measure(scan, before, hashes, seen))
        return Measured(preparing=True) if found is None else _read(found)

    def _measure(self, scan: OpenScan, untrained: ScanReader | None, hashes: Hashes, seen: Seen) -> Arrays:
        reader, pack = scan.reader, scan.pack
        rows = reader.rows if untrained is None else min(reader.rows, untrained.rows)
        allowed = seen.first(rows).unseen()
        spaces: dict[str, Any] = {layer: reader.embeddings(layer)[:rows] for layer in reader.layers}
        for space in CONTROL_SPACES:
            spaces[space] = self._control_spaces.wait(pack, space)[:rows]
        if untrained is not None:
            for layer in (name for name in untrained.layers if name in reader.layers):
                spaces[UNTRAINED_PREFIX + layer] = untrained.embeddings(layer)[:rows]
        everything = np.ones(rows, dtype=np.bool_)
        for question in questions(pack, rows):
            for chosen in (everything,) if allowed is None else (allowed, everything):
                task = RetrievalQueries(question.facets, chosen, question.sources, hashes[:rows])
                found = measure(spaces, task, reference=REFERENCE)
                if found is not None:
                    text = json.dumps({"unseen": chosen is allowed, **asdict(found)})
                    return {"quality": np.array(text)}
        return {"quality": np.array("null")}


def _identity(reader: ScanReader) -> str:
    """A text that identifies the scanned data and the settings of the scan."""
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
    return FacetScore(Estimate(**raw["precision"]), Estimate(**raw["gain"]), raw["voted"])
