"""Fit a readout: a map from a checkpoint's count vectors to the named counts of scenes whose objects are known.

scikit-learn's non-negative solver is that of Lawson and Hanson, "Solving Least Squares Problems", Prentice-Hall 1974.
There may be as many units as scenes, so the weights are shrunk; by how much is decided on folds of the fitted scenes.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression

from models.checkpoints import storage as checkpoints
from models.counting.picture_quantities import edge_energy, gray_of
from models.counting.predictors import inside
from models.counting.readouts import (
    LEAST_FIT,
    LEAST_TEST,
    Doubles,
    NothingNamed,
    Readout,
    cells,
    named_counts,
    sparse,
    table,
)
from models.counting.scoring import sides
from models.counting.truth_numbers import boxes
from models.evaluations.rows import TEST, TRAIN, Rows, even, unseen
from models.galleries.loading import regions_of
from models.galleries.packs import Pack

MOST_TESTED = 400
FOLDS = 5
STRENGTHS = (0.0, 0.01, 0.1, 1.0, 10.0)  # of the penalty, relative to the counts' own squares


def read_out(
    pack: Pack,
    folder: Path,
    *,
    checkpoint: str,
    gallery: str,
    scenes: int,
    seed: int,
    device: str,
    tick: Callable[[str], None],
) -> Readout:
    """Fit on `scenes` labelled scenes and test on others that the network was not trained on. Raises NothingNamed."""
    network = checkpoints.load(folder, device=device)
    how = network.card.preprocess
    tick("looking for images with named counts")
    rows = _large(pack, how.crop)
    found = {row: named_counts(pack, row, box) for row, box in zip(rows, boxes(pack, rows, how), strict=True)}
    named = np.array([row for row, counts in found.items() if counts is not None], dtype=np.int64)
    fitted, tested = _parts(pack, named, scenes, seed)
    tested = even(unseen(pack, network.card, folder, tested), MOST_TESTED)
    if len(fitted) < LEAST_FIT or len(tested) < LEAST_TEST:
        raise NothingNamed(
            f"a readout needs {LEAST_FIT} images with named counts to fit and {LEAST_TEST} unseen ones to test on; "
            f"here are {len(fitted)} and {len(tested)}"
        )
    both = [*fitted.tolist(), *tested.tolist()]
    known, names = table([found[row] or {} for row in both])
    tick(f"counting in {len(both)} images")
    counts = sides(network, regions_of(pack, both, how.region)).whole
    tick("fitting")
    cut = len(fitted)
    weights = fit(counts[:cut], known[:cut])
    guesses: dict[str, Doubles] = {
        "network": counts[cut:] @ weights.T,
        "mean": np.broadcast_to(known[:cut].mean(axis=0), known[cut:].shape).copy(),
        **_by_one_value(pack, both, known, cut, boxes(pack, both, how)),
    }
    return Readout(
        checkpoint=checkpoint,
        gallery=gallery,
        weights_sha256=network.card.weights_sha256,
        gallery_fingerprint=pack.fingerprint,
        names=names,
        weights=sparse(weights, names),
        fitted=cut,
        tested=len(tested),
        seed=seed,
        r2={name: cells(guess, known[cut:], names, seed) for name, guess in guesses.items()},
    )


def fit(counts: Doubles, known: Doubles) -> Doubles:
    """The non-negative weights (C, K) that bring count vectors (n, K) nearest to named counts (n, C), shrunk."""
    scale = float(np.square(counts).mean()) or 1.0
    folds = np.arange(len(counts)) % min(FOLDS, len(counts))

    def missed(penalty: float) -> float:
        """The squared error on images that did not take part."""
        parts = ((folds == fold, folds != fold) for fold in range(folds.max() + 1))
        return sum(
            float(np.square(known[out] - counts[out] @ shrunk(counts[rest], known[rest], penalty).T).sum())
            for out, rest in parts
        )

    penalties = [scale * len(counts) * strength for strength in STRENGTHS]
    return shrunk(counts, known, min(penalties, key=missed))


def shrunk(counts: Doubles, known: Doubles, penalty: float) -> Doubles:
    """Non-negative ridge regression: least |known - counts W^T|^2 + penalty |W|^2, as (C, K)."""
    units, names = counts.shape[1], known.shape[1]
    rows = np.concatenate([counts, np.sqrt(penalty) * np.eye(units)])
    wanted = np.concatenate([known, np.zeros((units, names))])
    solver = LinearRegression(positive=True, fit_intercept=False).fit(rows, wanted)
    return np.asarray(solver.coef_, dtype=np.float64).reshape(names, units)


def line(one: Doubles, known: Doubles, other: Doubles) -> Doubles:
    """Named counts (m, C) for values (m,), by straight lines fitted to values (n,) and named counts (n, C)."""
    return np.asarray(LinearRegression().fit(one[:, None], known).predict(other[:, None]))


def _large(pack: Pack, crop: int) -> list[int]:
    """Rows that are large enough to be counted in at native size; scenes of sweeps are no sample of anything."""
    scenes = pack.scenes()
    sizes = pack.metadata(range(len(pack)))
    return [
        row
        for row, item in enumerate(sizes)
        if min(item.jpeg_width, item.jpeg_height) >= crop and not (scenes[row] or {}).get("sweep")
    ]


def _parts(pack: Pack, named: Rows, scenes: int, seed: int) -> tuple[Rows, Rows]:
    """Rows to fit on and rows to test on: the pack's splits where both are there, else two halves drawn by the seed."""
    train, test = (np.intersect1d(named, pack.select(split=split)) for split in (TRAIN, TEST))
    if not len(train) or not len(test):
        shuffled = np.random.default_rng(seed).permutation(named)
        half = len(shuffled) // 2
        train, test = np.sort(shuffled[:half]), np.sort(shuffled[half:])
    return even(train, scenes), test


def _by_one_value(
    pack: Pack, rows: list[int], known: Doubles, cut: int, crops: list[tuple[float, float, float, float]]
) -> dict[str, Doubles]:
    """Controls with one value a crop: its edge energy and, where the objects are known, the area that they cover."""
    edges = np.array([edge_energy(gray_of(pack.jpeg(row)), box) for row, box in zip(rows, crops, strict=True)])
    area = np.array([inside(pack.truth(row), box)[1] for row, box in zip(rows, crops, strict=True)])
    told = {"edge_energy": edges} | ({"area": area} if np.isfinite(area).all() else {})
    return {name: line(values[:cut], known[:cut], values[cut:]) for name, values in told.items()}
