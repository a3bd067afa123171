"""Sets of permutations of nine tiles: the labels of jigsaw puzzles, drawn from a seed. Free of torch.

Noroozi, Favaro, "Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles", ECCV 2016,
https://arxiv.org/abs/1603.09246, choose the permutations with the largest mean Hamming distance, greedily; Noroozi et
al., "Boosting Self-Supervised Learning via Knowledge Transfer", CVPR 2018, https://arxiv.org/abs/1805.00385, ask for a
minimum distance. The Hamming distance of two permutations is the number of slots that show different tiles.
"""

import hashlib
import math
from functools import cache
from itertools import chain, permutations

import numpy as np
from numpy.typing import NDArray

TILES = 9
BLOCK = 4096  # candidates that are compared with the set together
Set = NDArray[np.uint8]  # (N, 9): slot i shows the tile of cell set[n, i], cells numbered row by row


class TooFewPermutations(ValueError):
    """No set of so many permutations with that minimum distance was found; the message says how many there are."""


def bound(distance: int) -> int:
    """No set whose members differ in at least `distance` slots has more members: 9! / (distance - 1)!.

    Any two members differ already in the first 9 - distance + 1 slots, and these can be filled in so many ways.
    """
    return math.factorial(TILES) // math.factorial(distance - 1)


def always_found(distance: int) -> int:
    """So many are found whatever is chosen: each choice rules out the permutations nearer than `distance`, no more."""
    nearer = sum(math.comb(TILES, moved) * _derangements(moved) for moved in range(distance))
    return -(-math.factorial(TILES) // nearer)


@cache
def max_mean(count: int, seed: int) -> Set:
    """From a random first one on, always the permutation with the largest mean distance to those before.

    The mean distance is nine less the mean number of slots in agreement, so a running sum of agreements does; among
    the best the first in an order of the seed is taken.
    """
    rng = np.random.default_rng(seed)
    candidates = _every()[:, rng.permutation(math.factorial(TILES))]  # (9, 9!)
    agreements = np.zeros(candidates.shape[1], dtype=np.int32)
    chosen = [0]
    while len(chosen) < count:
        newest = candidates[:, chosen[-1]]
        same = np.zeros(candidates.shape[1], dtype=np.uint8)  # bytes: a third of the time of wider sums
        for slot in range(TILES):
            same += candidates[slot] == newest[slot]
        agreements += same
        agreements[chosen[-1]] = np.iinfo(np.int32).max // 2  # never again
        chosen.append(int(agreements.argmin()))
    return _frozen(candidates[:, chosen].T)


@cache
def min_distance(count: int, distance: int, seed: int) -> Set:
    """Permutations in random order, each kept that differs from all before in at least `distance` slots.

    Raises TooFewPermutations.
    """
    if count > bound(distance):
        raise TooFewPermutations(
            f"at most {bound(distance)} permutations of nine tiles differ in at least {distance} slots, got {count}"
        )
    rng = np.random.default_rng(seed)
    candidates = _every()[:, rng.permutation(math.factorial(TILES))].T  # (9!, 9)
    kept = np.empty((0, TILES), dtype=np.uint8)
    for start in range(0, len(candidates), BLOCK):
        block = candidates[start : start + BLOCK]
        far = block[(_agreements(block, kept) <= TILES - distance).all(axis=1)]
        for one in far:
            if ((one != kept).sum(axis=1) >= distance).all():
                kept = np.concatenate([kept, one[None]])
                if len(kept) == count:
                    return _frozen(kept)
    raise TooFewPermutations(
        f"a random search finds {len(kept)} permutations that differ in at least {distance} slots, got {count}"
    )


def distances(chosen: Set) -> tuple[int, float]:
    """The smallest and the mean Hamming distance between two members of a set."""
    rows, columns = np.triu_indices(len(chosen), 1)
    apart = TILES - _agreements(chosen, chosen)[rows, columns]
    return int(apart.min()), float(apart.mean())


def fingerprint(chosen: Set) -> str:
    """The sha256 of a set, in its order."""
    return hashlib.sha256(np.ascontiguousarray(chosen, dtype=np.uint8).tobytes()).hexdigest()


def _agreements(some: Set, others: Set) -> NDArray[np.float32]:
    """In how many slots each of (n, 9) shows the same as each of (m, 9): (n, m)."""
    one, other = (np.eye(TILES, dtype=np.float32)[part].reshape(len(part), TILES * TILES) for part in (some, others))
    return np.asarray(one @ other.T)


@cache
def _every() -> Set:
    """All permutations as columns, (9, 9!)."""
    flat = chain.from_iterable(permutations(range(TILES)))
    return np.fromiter(flat, dtype=np.uint8).reshape(-1, TILES).T.copy()


def _derangements(moved: int) -> int:
    """In how many ways so many things can all be out of their places: 1, 0, 1, 2, 9, 44, ..."""
    return sum((-1) ** k * math.factorial(moved) // math.factorial(k) for k in range(moved + 1))


def _frozen(chosen: Set) -> Set:
    kept = np.ascontiguousarray(chosen)
    kept.flags.writeable = False
    return kept
