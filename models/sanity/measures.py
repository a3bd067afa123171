"""Numbers of a sanity check: votes of neighbours, classes tied to sources, how smooth the first filters are."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.card import first_layer_filters
from models.filters.measures import measure, noise_medians
from models.network import Network
from models.sanity.readings import Features
from models.sanity.report import Share

Hits = NDArray[np.bool_]
Labels = NDArray[np.int64]


def leave_one_out(features: Features, labels: Labels, *, k: int) -> Hits:
    """For which vectors (n, D) the k nearest others (Euclidean) vote for their class; ties go to the lower class."""
    squares = np.square(features).sum(axis=1)
    distances = squares - 2 * features @ features.T
    np.fill_diagonal(distances, np.inf)
    nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
    votes = np.apply_along_axis(np.bincount, 1, labels[nearest], minlength=int(labels.max()) + 1)
    return np.asarray(votes.argmax(axis=1) == labels)


def confounded(labels: Labels, sources: Labels) -> bool:
    """Whether most images are of a class that comes from one source only, while there are several sources."""
    if len(np.unique(sources)) < 2:
        return False
    tied = [label for label in np.unique(labels) if len(np.unique(sources[labels == label])) == 1]
    return 2 * int(np.isin(labels, tied).sum()) >= len(labels)


def smoothness(folder: Path, twin: Network) -> tuple[float | None, float | None]:
    """The median total-variation ratio of the first filters, untrained and as they are; None without any."""
    try:
        now = first_layer_filters(folder)
        weight = twin.encoder.get_parameter(f"{twin.card.first_layer.name}.weight").detach().float().cpu().numpy()
        return measure(weight).medians()["tv_ratio"], measure(now).medians()["tv_ratio"]
    except (KeyError, ValueError, AttributeError):
        return None, None


def white_noise(folder: Path) -> float | None:
    """That ratio of white noise in filters of the same shape; None without any."""
    try:
        return noise_medians(first_layer_filters(folder).shape)["tv_ratio"]
    except (KeyError, ValueError):
        return None


def share(found: dict[str, float | int | list[float] | None]) -> Share:
    """A measured share with its interval, as the report keeps it."""
    interval = found["interval"]
    assert isinstance(interval, list) and isinstance(found["value"], float) and isinstance(found["n"], int)
    return Share(found["value"], interval[0], interval[1], found["n"])
