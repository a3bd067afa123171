"""A counting network in the middle of its training: measures on held-out images, and one image's five views."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.counting.equation import count_crops, tiles
from models.counting.measures import additivity_ratio, firing_units, loss, pull, r2_adding, r2_averaging
from models.counting.scoring import sides
from models.crops import centre
from models.filters.measures import median_tv_ratio
from models.network import Network
from models.resampling import halve


def watched_measures(network: Network, regions: Sequence[Tensor]) -> dict[str, float]:
    """Those of training_views.MEASURES that are defined; the loss is the paper's, whatever the run minimises.

    Taken with the area kernel and in colour.
    """
    both = sides(network, regions)
    held_out, apart = loss(both), pull(both)
    assert held_out is not None and apart is not None
    filters = network.encoder.get_submodule(network.card.first_layer.name).weight
    assert isinstance(filters, Tensor)
    found = {
        "held_out_loss": held_out,
        "held_out_pull": apart,
        "held_out_push": held_out - apart,
        "additivity_ratio": additivity_ratio(both),
        "r2_adding": r2_adding(both),
        "r2_averaging": r2_averaging(both),
        "firing_units": firing_units(both),
        "conv1_tv_ratio": median_tv_ratio(filters.detach().float().cpu().numpy()),
    }
    return {name: value for name, value in found.items() if value is not None}


def view_totals(network: Network, region: Tensor) -> tuple[float, ...]:
    """The total |phi|_1 of each of the five views of a region's middle crop."""
    equation = count_crops(network, centre(region, network.card.preprocess.crop)[None])
    totals = torch.cat([equation.whole[:, None], equation.tiles], dim=1)[0].sum(dim=1)  # (1, 5, K) -> (5,)
    return tuple(float(total) for total in totals)


def view_pictures(region: Tensor, crop: int) -> tuple[NDArray[np.uint8], ...]:
    """The five views of a region's middle `crop`, before they are normalised: (s, s, 3) uint8 each."""
    pixels = centre(region, crop)[None].float() / 255
    views = torch.cat([halve(pixels, "area")[:, None], tiles(pixels)], dim=1)[0]  # (1, 5, 3, s, s) -> (5, 3, s, s)
    return tuple((view.permute(1, 2, 0) * 255).round().byte().numpy() for view in views)
