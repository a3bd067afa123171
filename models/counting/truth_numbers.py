"""Does a count follow the number of things? Rank correlation with the number that is known. Free of torch.

A unit is chosen on every other image and judged on the rest, because the best of hundreds of units correlates with
anything on the images it was chosen on.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.active_units import active
from models.card import Preprocess
from models.countables.truth import count
from models.counting.picture_quantities import edge_energy, gray_of
from models.galleries.packs import Pack
from models.geometry import Box, count_crop
from models.statistics import Doubles, bootstrapped_pairs, spearman

LEAST = 16  # images with a known number: with fewer a rank correlation means nothing


def numbers(pack: Pack, rows: Sequence[int], how: Preprocess) -> tuple[NDArray[np.int64], Doubles]:
    """The rows for which the number of things in the count path's crop is known, and these numbers.

    Places in `rows`, ascending, and the numbers: (m,) each.
    """
    found = [_number(pack, row, box) for row, box in zip(rows, boxes(pack, rows, how), strict=True)]
    known = [place for place, value in enumerate(found) if value is not None]
    values = [value for value in found if value is not None]
    return np.array(known, dtype=np.int64), np.array(values, dtype=np.float64)


def boxes(pack: Pack, rows: Sequence[int], how: Preprocess) -> list[Box]:
    """The box of each row that the count path reads, in pixels of the stored image."""
    return [
        count_crop(item.jpeg_width, item.jpeg_height, crop=how.crop, region=how.region) for item in pack.metadata(rows)
    ]


def edge_energies(pack: Pack, rows: Sequence[int], how: Preprocess) -> Doubles:
    """Edge energy of the same crops, (n,): it adds up over tiles without any knowledge of objects."""
    return np.array(
        [edge_energy(gray_of(pack.jpeg(row)), box) for row, box in zip(rows, boxes(pack, rows, how), strict=True)]
    )


def number_correlations(counts: Doubles, known: Doubles, *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Spearman's rho of the known number with the total and with the unit that follows it best, (n, K) and (n,).

    The unit is the one with the largest |rho| on images 0, 2, 4 ...; its rho, with its sign, is that of 1, 3, 5 ...
    """
    total = counts.sum(axis=1)
    report = {"total_and_number": bootstrapped_pairs(spearman, total, known, seed=seed)}
    unit = best_unit(counts[::2], known[::2])
    if unit is not None:
        report["unit_and_number"] = {
            **bootstrapped_pairs(spearman, counts[1::2, unit], known[1::2], seed=seed),
            "unit": unit,
        }
    return report


def best_unit(counts: Doubles, known: Doubles) -> int | None:
    """The active unit whose ranks follow the number best; None where no unit is active or the number never varies."""
    units = np.flatnonzero(active(counts.mean(axis=0)))
    strength: NDArray[np.float64] = np.array([abs(spearman(counts[:, unit], known) or 0.0) for unit in units])
    return int(units[strength.argmax()]) if len(units) and strength.max() > 0 else None


def _number(pack: Pack, row: int, box: Box) -> float | None:
    """Objects of a drawn scene of which half or more lies in the box, their parts not counted twice; else the counts
    that a manifest gave for the whole image."""
    truth = pack.truth(row) if pack.scene(row) is not None else None
    if truth is not None:
        alone = [{**thing, "parts": ()} for thing in truth["objects"]]
        return float(sum(count({**truth, "objects": alone}, box).present.values()))
    counts = pack.row(row).counts
    return None if counts is None else float(sum(counts.values()))
