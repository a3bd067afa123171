"""The networks of a scan, and the numbers that are read from them."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.card import LayerCard
from models.counting.equation import views
from models.encoders.receptive_field import is_chain
from models.galleries.packs import Pack
from models.network import Network
from models.scans.images import ScanImages
from models.scans.plans import ScanPlan
from models.scans.reductions import Reduced, reduce_map, reduce_vector

KERNEL = "area"


@dataclass(frozen=True)
class ScanNetworks:
    """The networks of a scan and the layers that are read: `conv` on the trunk, `vector` on the count path."""

    trunk: Network
    counts: Network
    conv: tuple[LayerCard, ...]
    vector: tuple[LayerCard, ...]
    residual: bool
    precision: str

    @classmethod
    def of(cls, trunk: Network, counts: Network, plan: ScanPlan, *, precision: str) -> Self:
        """The layers that the plan reads of a checkpoint that was loaded in `precision` and, for its counts, in fp32.

        Both networks may be the same one where the precision is fp32 or nothing is counted. Raises BadPlan.
        """
        layers, residual = plan.chosen(trunk.card), plan.wants_residual(trunk.card)
        conv = tuple(layer for layer in layers if layer.on_trunk)
        vector = tuple(layer for layer in layers if not layer.on_trunk)
        return cls(trunk, counts, conv, vector, residual, precision)

    def how(self, plan: ScanPlan) -> dict[str, object]:
        """The settings that all parts of one scan share."""
        return {
            "checkpoint_sha256": self.trunk.card.weights_sha256,
            "precision": self.precision,
            "layers": [layer.name for layer in (*self.conv, *self.vector)],
            "residual": self.residual,
            "top": plan.top,
            "maxima": True,
        }

    @property
    def mapped(self) -> tuple[LayerCard, ...]:
        """The layers with a map of their own units."""
        return tuple(layer for layer in self.conv if layer.kind == "conv")

    @property
    def has_regions(self) -> bool:
        """Whether gradients can be taken on receptive fields alone: only in networks whose modules just follow each
        other.
        """
        return is_chain(self.trunk.encoder) and all(layer.receptive_field is not None for layer in self.mapped)

    @property
    def counting(self) -> bool:
        """Whether the count path is run at all."""
        return bool(self.vector) or self.residual

    def images(self, pack: Pack, *, resident: bool = False) -> ScanImages:
        """The pack's images, prepared for these networks."""
        how, device = self.trunk.card.preprocess, self.trunk.device
        return ScanImages(pack, how, device, squares=bool(self.conv), crops=self.counting, resident=resident)

    @torch.inference_mode()
    def trunk_numbers(self, squares: Tensor) -> dict[str, Reduced]:
        """The trunk layers' numbers for squares (B, 3, S, S) uint8."""
        with self.trunk.hooks([layer.name for layer in self.conv]) as seen:
            self.trunk.run_trunk(self.trunk.trunk_input(squares))
        return {
            layer.name: reduce_map(seen[layer.name])
            if layer.kind == "conv"
            else reduce_vector(seen[layer.name], keep_float=False)
            for layer in self.conv
        }

    @torch.inference_mode()
    def count_numbers(self, crops: Tensor) -> tuple[dict[str, Reduced], Tensor | None]:
        """The vector layers' numbers for crops (B, 3, crop, crop) uint8, and phi of all five views (B, 5, K)."""
        inputs = views(self.counts, crops, KERNEL)  # (B, 5, 3, s, s), D(x) first
        inputs = inputs if self.residual else inputs[:, :1]
        with self.counts.hooks([layer.name for layer in self.vector]) as seen:
            phi = self.counts.run_counts(inputs.flatten(0, 1))
        numbers = {
            layer.name: reduce_vector(seen[layer.name][:: inputs.shape[1]], keep_float=layer.kind == "counts")
            for layer in self.vector
        }
        return numbers, phi.float().view(*inputs.shape[:2], -1) if self.residual else None
