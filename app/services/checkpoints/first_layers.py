"""The first layer of a checkpoint as the filters page shows it: trained, at step 0, and compared with noise."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from models import card as cards
from models.filters import pictures as filter_pictures
from models.filters.measures import (
    FilterMeasures,
    Filters,
    MeasureName,
    Smoothness,
    Values,
    measure,
    noise_medians,
    order,
    relative_change,
    smoothness,
)
from models.filters.pictures import Scale
from models.training import snapshots

Sort = Literal["change", "norm", "colourfulness", "orientation_energy", "smoothness", "filter"]
Panel = Literal["trained", "step0"]
MEASURE_OF: dict[Sort, MeasureName | Literal["filter"]] = {
    "change": "norm",  # for checkpoints that did not keep their filters of step 0
    "filter": "filter",
    "norm": "norm",
    "colourfulness": "colourfulness",
    "orientation_energy": "orientation_energy",
    "smoothness": "tv_ratio",
}


@dataclass(frozen=True)
class LayerFilters:
    """First-layer filters (units, channels, h, w), their measures, and how smooth they are compared with noise."""

    weights: Filters
    measures: FilterMeasures
    smoothness: Smoothness


@dataclass(frozen=True)
class FirstLayer:
    """A checkpoint's first layer as trained, as it was at step 0, and the medians of noise of the same shape.

    `step0` is None where the training did not keep it. `change` is |w - w0| / |w0| of each filter, None without
    `step0`. `colour` is the colour space of the input channels.
    """

    layer: str
    trained: LayerFilters
    step0: LayerFilters | None
    noise: dict[str, float]
    change: Values | None = None
    colour: cards.Colour = "rgb"

    @property
    def sort(self) -> Sort:
        """The default order of a page: by how much training changed the filters where that is known, else by norm."""
        return "norm" if self.change is None else "change"

    def order(self, sort: Sort) -> list[int]:
        """The filter numbers in the asked order, by the measures of the trained filters; "change" largest first."""
        if sort == "change" and self.change is not None:
            return [int(number) for number in np.argsort(-self.change, kind="stable")]
        return order(self.trained.measures, MEASURE_OF[sort])

    def values(self, panel: LayerFilters, sort: Sort) -> Values | None:
        """The values in a panel of the measure that the filters are ordered by; None where there are none."""
        if sort == "change" and self.change is not None:
            return self.change if panel is self.trained else None
        name = MEASURE_OF[sort]
        return None if name == "filter" else panel.measures.named(name)

    def pixels(self, panel: Panel, scale: Scale) -> filter_pictures.Pixels | None:
        """Pictures of one panel, (units, h, w, 3), in a scale that both panels share; None where there is no panel."""
        shown = self.trained if panel == "trained" else self.step0
        if shown is None:
            return None
        layers = [self.trained.weights] if self.step0 is None else [self.trained.weights, self.step0.weights]
        limit = filter_pictures.common_limit(*layers)
        return filter_pictures.pixels(shown.weights, scale, limit=limit, colour=self.colour)


def read_first_layer(folder: Path, at: int | None = None) -> FirstLayer:
    """The first layer of a checkpoint's folder, or of the snapshot `at` a step of its training.

    Raises OSError, ValueError or KeyError where it has no filters.
    """
    card = cards.read_card(folder)
    weights = cards.first_layer_filters(folder) if at is None else snapshots.first_layer_filters(folder, at)
    colour = card.preprocess.colour
    noise = noise_medians(weights.shape, colour=colour)
    before = cards.step0_filters(folder)
    return FirstLayer(
        layer=card.first_layer.name,
        trained=panel_of(weights, noise, colour),
        step0=None if before is None else panel_of(before, noise, colour),
        noise=noise,
        change=None if before is None or before.shape != weights.shape else relative_change(weights, before),
        colour=colour,
    )


def panel_of(weights: Filters, noise: dict[str, float], colour: cards.Colour = "rgb") -> LayerFilters:
    measures = measure(weights, colour)
    return LayerFilters(weights, measures, smoothness(measures, noise, side=min(weights.shape[2:])))
