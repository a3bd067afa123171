"""The first layer of a checkpoint as the filters page shows it: trained, at step 0, and beside noise."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from models import card as cards
from models import filter_pictures
from models.filter_pictures import Scale
from models.filters import (
    FilterMeasures,
    Filters,
    MeasureName,
    Smoothness,
    Values,
    measure,
    noise_medians,
    order,
    smoothness,
)

Sort = Literal["filter", "norm", "colourfulness", "orientation_energy", "smoothness"]
Panel = Literal["trained", "step0"]
SORTS: tuple[Sort, ...] = get_args(Sort)
MEASURE_OF: dict[Sort, MeasureName | Literal["filter"]] = {
    "filter": "filter",
    "norm": "norm",
    "colourfulness": "colourfulness",
    "orientation_energy": "orientation_energy",
    "smoothness": "tv_ratio",
}


@dataclass(frozen=True)
class FilterPanel:
    """First-layer filters (units, channels, h, w), what they measure and how they compare with noise."""

    weights: Filters
    measures: FilterMeasures
    smoothness: Smoothness


@dataclass(frozen=True)
class FirstLayer:
    """A checkpoint's first layer: as trained, as it was at step 0 where the run kept it, and noise of that shape."""

    layer: str
    trained: FilterPanel
    step0: FilterPanel | None
    noise: dict[str, float]

    def order(self, sort: Sort) -> list[int]:
        """Filter numbers in the asked order, by the measures of the trained filters."""
        return order(self.trained.measures, MEASURE_OF[sort])

    def values(self, panel: FilterPanel, sort: Sort) -> Values | None:
        """The values of a panel that the order is about; None for the plain order."""
        name = MEASURE_OF[sort]
        return None if name == "filter" else panel.measures.named(name)

    def pixels(self, panel: Panel, scale: Scale) -> filter_pictures.Pixels | None:
        """Pictures of one panel (units, h, w, 3); both panels share one common scale. None where there is no panel."""
        shown = self.trained if panel == "trained" else self.step0
        if shown is None:
            return None
        layers = [self.trained.weights] if self.step0 is None else [self.trained.weights, self.step0.weights]
        return filter_pictures.pixels(shown.weights, scale, limit=filter_pictures.common_limit(*layers))


def read_first_layer(folder: Path) -> FirstLayer:
    """The first layer of a checkpoint's folder. Raises OSError, ValueError or KeyError where there are none."""
    card = cards.read_card(folder)
    weights = cards.first_layer_filters(folder)
    noise = noise_medians(weights.shape)
    before = cards.step0_filters(folder)
    return FirstLayer(
        layer=card.first_layer.name,
        trained=_panel(weights, noise),
        step0=None if before is None else _panel(before, noise),
        noise=noise,
    )


def _panel(weights: Filters, noise: dict[str, float]) -> FilterPanel:
    measures = measure(weights)
    return FilterPanel(weights, measures, smoothness(measures, noise))
