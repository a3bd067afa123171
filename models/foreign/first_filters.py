"""The first filters of a file of weights, drawn and measured: they need no architecture."""

import base64
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.filters.measures import Filters, measure, noise_medians, smoothness
from models.filters.pictures import grid, pixels, png
from models.foreign.finding import find
from models.foreign.leaves import as_tensor, check_claim
from models.foreign.names import Names
from models.foreign.reading import reading
from models.foreign.recognise import filters_alone
from models.foreign.weights import FLOATS, Inspection, WeightsCandidate

MOST: Final = 256  # filters in the picture
SIDE: Final = 28  # pixels that a small filter is enlarged to, about


def first_filters(path: Path, inspection: Inspection, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """What `drawn` says of each of these candidates that has filters. Raises UnreadableWeights."""
    wanted = {name: layer for name in names if (layer := first_layer(inspection.candidate(name))) is not None}
    found: dict[str, dict[str, Any]] = {}
    if not wanted:
        return found
    with reading(path) as raw:
        for weights in find(raw.content):
            if weights.name in wanted:
                tensor = as_tensor(weights.tensors[wanted[weights.name]])
                check_claim(wanted[weights.name], tensor)
                found[weights.name] = {"layer": wanted[weights.name], **drawn(tensor.float().numpy())}
    return found


def first_layer(candidate: WeightsCandidate) -> str | None:
    """The name of the first filter bank over images, where it holds numbers that can be drawn."""
    for guess in filters_alone(Names.of(candidate)):
        name = next(iter(guess.keys))
        return name if candidate.tensors[name].dtype in FLOATS else None
    return None


def drawn(filters: Filters) -> Mapping[str, Any]:
    """A picture of filters (units, channels, h, w), strongest first on one scale, and how smooth they are.

    Values that are not finite are drawn as zero.
    """
    weights = np.nan_to_num(filters.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    measures = measure(weights)
    order = np.argsort(-measures.norm, kind="stable")[:MOST]
    smooth = smoothness(measures, noise_medians(weights.shape), side=min(weights.shape[2:]))
    picture = grid(pixels(weights, "common"), order=order.tolist(), zoom=max(1, SIDE // weights.shape[2]))
    return {
        "shape": list(weights.shape),
        "shown": len(order),
        "smoother": smooth.smoother,
        "sentence": smooth.sentence,
        "width": picture.shape[1],
        "height": picture.shape[0],
        "png": base64.b64encode(png(picture)).decode(),
    }
