"""What can be said of a gallery's images without a network: perceptual hashes, raw pixels, colours."""

from functools import lru_cache

import numpy as np

from app.services.preparing import Arrays, Preparing
from models.galleries.packs import Pack
from models.galleries.phash import Hashes, phashes
from models.search.control_spaces import ControlSpace, control_spaces
from models.search.index import Floats

VERSION = 1  # of the hash and of the vectors


class LooksService:
    """Computed when first asked for, kept by the pack's fingerprint; None while that is being done."""

    def __init__(self, preparing: Preparing) -> None:
        self._preparing = preparing
        self._packed = lru_cache(maxsize=16)(Pack.phashes)

    def hashes(self, pack: Pack) -> Hashes | None:
        """The perceptual hash of every row, from the pack, or computed for packs that were written without, (N,)."""
        known = self._packed(pack)
        if known is not None:
            return known
        found = self._preparing.get("hashes", (VERSION, pack.fingerprint), lambda: _hashes(pack))
        return None if found is None else found["phash"]

    def space(self, pack: Pack, space: ControlSpace) -> Floats | None:
        """The vectors of every row in a space without a network, (N, D)."""
        found = self._preparing.get("looks", (VERSION, pack.fingerprint), lambda: _spaces(pack))
        return None if found is None else found[space].astype(np.float32)

    def wait(self, pack: Pack, space: ControlSpace) -> Floats:
        """The same, however long it takes: for what is prepared itself."""
        return self._preparing.wait("looks", (VERSION, pack.fingerprint), lambda: _spaces(pack))[space].astype(
            np.float32
        )


def _hashes(pack: Pack) -> Arrays:
    return {"phash": phashes(pack.jpeg(row) for row in range(len(pack)))}


def _spaces(pack: Pack) -> Arrays:
    spaces = control_spaces(pack.jpeg(row) for row in range(len(pack)))
    return {space: vectors.astype(np.float16) for space, vectors in spaces.items()}
