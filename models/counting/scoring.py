"""Score a counting network on held-out images, always beside its controls."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.card import Reference
from models.counting.diagnostics import brightness, crop_growth, unit_difference
from models.counting.equation import count_crops
from models.counting.measures import Sides, growth_exponent, measure
from models.crops import centre, crop_image
from models.filters.measures import measure as filter_measures
from models.network import Network
from models.preprocessing import normalise
from models.recipes.counting import KERNELS
from models.seeds import generator
from models.statistics import Doubles, bootstrapped, bootstrapped_pairs, spearman

BATCH = 64
AREAS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
GROWTH_IMAGES = 128
CROP_AREAS = tuple(0.5 + 0.05 * step for step in range(10))  # the paper's figures 5 and 6
EXTREMES = 100  # images that count most, and least, in those figures


def sides(network: Network, regions: Sequence[Tensor], kernel: str = "area") -> Sides:
    """Both sides of the counting equation for the middle crop of each region."""
    crop = network.card.preprocess.crop
    whole, total = [], []
    for start in range(0, len(regions), BATCH):
        batch = torch.stack([centre(square, crop) for square in regions[start : start + BATCH]])
        found = count_crops(network, batch, kernel)
        whole.append(found.whole.double().numpy())
        total.append(found.total.double().numpy())
    return Sides.of(np.concatenate(whole), np.concatenate(total))


def magnitudes(
    network: Network, regions: Sequence[Tensor], seed: int, areas: Sequence[float] = AREAS
) -> tuple[Doubles, Doubles]:
    """|phi| of random crops that cover `areas` of each region, with those areas: (n, len(areas)) each."""
    how = network.card.preprocess
    values = np.zeros((len(regions), len(areas)))
    for column, area in enumerate(areas):
        views = []
        for i, square in enumerate(regions):
            side = round(square.shape[-1] * area**0.5)
            place = torch.rand(2, generator=generator(seed, i, column)) * (square.shape[-1] - side + 1)
            top, left = (int(value) for value in place)
            views.append(crop_image(square, (left, top, left + side, top + side), how.size)[0])
        for start in range(0, len(views), BATCH):
            pixels = torch.stack(views[start : start + BATCH]).to(network.device).float() / 255
            counts = network.run_counts(normalise(pixels, how)).float().cpu()
            values[start : start + BATCH, column] = counts.norm(dim=1).double().numpy()
    return values, np.broadcast_to(np.array(areas), values.shape).copy()


def diagnose(network: Network, regions: Sequence[Tensor], both: Sides, seed: int) -> dict[str, Any]:
    """What drives |phi|: light, the mirror, the crop; and how different the units are."""
    magnitude = np.linalg.norm(both.whole, axis=1)
    crops = torch.stack([centre(square, network.card.preprocess.crop) for square in regions])
    mirrored = sides(network, [square.flip(-1) for square in regions])
    order, chosen = np.argsort(magnitude, kind="stable"), min(EXTREMES, len(regions) // 2)
    low, high = ([regions[i] for i in rows] for rows in (order[:chosen], order[-chosen:]))
    curves = [magnitudes(network, part, seed, CROP_AREAS)[0] for part in (high, low)]
    return {
        **brightness(magnitude, crops.numpy()),
        "mirror_rank": bootstrapped_pairs(spearman, magnitude, np.linalg.norm(mirrored.whole, axis=1)),
        **unit_difference(both.whole),
        **crop_growth(curves[0], curves[1], np.array(CROP_AREAS)),
    }


def score(network: Network, regions: Sequence[Tensor], seed: int) -> dict[str, Any]:
    """All measures of one network: the equation, growth with area, and the smoothness of its first filters."""
    both = sides(network, regions)
    found: dict[str, Any] = {**measure(both, seed=seed), **diagnose(network, regions, both, seed)}
    found["growth_exponent"] = growth_exponent(*magnitudes(network, regions[:GROWTH_IMAGES], seed), seed=seed)
    found["conv1_tv_ratio"] = first_layer_roughness(network, seed)
    return found


def first_layer_roughness(network: Network, seed: int) -> dict[str, Any]:
    """The median total-variation ratio of the first filters; the interval is over filters."""
    filters = network.encoder.get_submodule(network.card.first_layer.name).weight
    assert isinstance(filters, Tensor)
    ratios = filter_measures(filters.detach().float().cpu().numpy()).tv_ratio
    return bootstrapped(lambda units: float(np.median(ratios[units])), len(ratios), seed=seed)


def evaluate(
    network: Network, untrained: Network, regions: Sequence[Tensor], *, seed: int, tick: Callable[[str], None]
) -> tuple[dict[str, Any], Reference]:
    """The card's measures, of the network and of its controls, and the reference to compare images with."""
    tick("scoring the network")
    both = sides(network, regions)
    report: dict[str, Any] = {"network": score(network, regions, seed)}
    report["averager"] = measure(both.averager(), seed=seed)
    report["constant"] = measure(both.constant(), seed=seed)
    tick("scoring random initialisation")
    report["random_init"] = score(untrained, regions, seed)
    tick("scoring the other kernels")
    report["relative_error_by_kernel"] = {
        kernel: relative_error(sides(network, regions, kernel), seed) for kernel in KERNELS
    }
    return report, Reference(both.whole.astype(np.float32), both.total.astype(np.float32))


def relative_error(both: Sides, seed: int = 0) -> dict[str, Any]:
    """mean |w - s|^2 / mean |w|^2."""
    errors, size = both.errors, np.square(both.whole).sum(axis=1)

    def ratio(rows: NDArray[np.int64]) -> float | None:
        return float(errors[rows].sum() / size[rows].sum()) if size[rows].sum() > 0 else None

    return bootstrapped(ratio, len(errors), seed=seed)
