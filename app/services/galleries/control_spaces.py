"""Descriptions of a gallery's images that need no network: perceptual hashes, raw pixels, colours."""

from functools import lru_cache

import numpy as np

from app.services.preparing import Arrays, Preparing
from models.galleries.packs import Pack
from models.galleries.phash import Hashes, phashes
from models.search.control_spaces import ControlSpace, control_spaces
from models.search.index import Floats

VERSION = 1  # number of the way in which hashes and vectors are computed


class ControlSpacesService:
    """Computes hashes and vectors when they are first asked for, and keeps them; None while they are computed."""

    def __init__(self, preparing: Preparing) -> None:
        self._preparing = preparing
        self._packed = lru_cache(maxsize=16)(Pack.phashes)

    def hashes(self, pack: Pack) -> Hashes | None:
        """The perceptual hash of every row, (N,): from the pack, or computed where a pack has none."""
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
        """The same as `space`, but waits until it is computed; for work that runs in the background itself."""
        return self._preparing.wait("looks", (VERSION, pack.fingerprint), lambda: _spaces(pack))[space].astype(
            np.float32
        )


def _hashes(pack: Pack) -> Arrays:
    return {"phash": phashes(pack.jpeg(row) for row in range(len(pack)))}


def _spaces(pack: Pack) -> Arrays:
    spaces = control_spaces(pack.jpeg(row) for row in range(len(pack)))
    return {space: vectors.astype(np.float16) for space, vectors in spaces.items()}
