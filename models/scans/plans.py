"""The plan of a scan: which checkpoint and gallery, which layers, in which precision."""

from dataclasses import dataclass, replace
from pathlib import Path

from models.card import Card, LayerCard
from models.scans.files import read_info
from models.scans.unit_tables import TOP_K


class BadPlan(ValueError):
    """The plan of a scan does not fit the checkpoint; the message says why."""

    code = "bad_scan"


@dataclass(frozen=True)
class ScanPlan:
    """What to scan. `layers` None means all; `residual` None means wherever there is a counting head.

    `regions`: whether to find the part of its receptive field that matters to each unit, which takes as long for few
    images as for many.
    """

    checkpoint: str
    gallery: str
    layers: tuple[str, ...] | None = None
    residual: bool | None = None
    precision: str = "auto"
    top: int = TOP_K
    regions: bool = True

    def chosen(self, card: Card) -> tuple[LayerCard, ...]:
        """The layers in forward order. Raises BadPlan."""
        names = {layer.name for layer in card.layers} if self.layers is None else set(self.layers)
        unknown = names - {layer.name for layer in card.layers}
        if unknown or not names:
            raise BadPlan(f"no layer {', '.join(sorted(unknown))}; there are: {', '.join(x.name for x in card.layers)}")
        return tuple(layer for layer in card.layers if layer.name in names)

    def wants_residual(self, card: Card) -> bool:
        """Whether the counting equation is computed. Raises BadPlan where the network cannot count."""
        if self.residual and not card.has_counts:
            raise BadPlan(f"{card.name} has no counting head, so there is no residual to compute")
        counts = any(layer.kind == "counts" for layer in self.chosen(card))
        return counts if self.residual is None else self.residual

    def extending(self, folder: Path) -> "ScanPlan":
        """The same plan in the precision of the scan that `folder` already holds, unless this plan names another."""
        if self.precision != "auto":
            return self
        try:
            return replace(self, precision=read_info(folder).precision)
        except ValueError:
            return self
