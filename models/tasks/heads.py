"""The heads that tasks put on an encoder."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.card import LayerCard


class CountingHead(nn.Sequential):
    """Three fully connected layers, each with a ReLU: counts cannot be negative. (B, C, h, w) -> (B, units).

    No dropout: it would make phi(Dx) and the sum of the tiles differ by noise.
    """

    def __init__(self, *, features: int, hidden: int, units: int) -> None:
        super().__init__(
            OrderedDict(
                flatten=nn.Flatten(),
                fc6=nn.Linear(features, hidden),
                relu6=nn.ReLU(inplace=True),
                fc7=nn.Linear(hidden, hidden),
                relu7=nn.ReLU(inplace=True),
                counts=nn.Linear(hidden, units),
                relu8=nn.ReLU(inplace=True),
            )
        )
        self.features, self.hidden, self.units = features, hidden, units

    def layers(self) -> tuple[LayerCard, ...]:
        return (
            LayerCard("fc6", self.hidden, "fc", "relu6"),
            LayerCard("fc7", self.hidden, "fc", "relu7"),
            LayerCard("counts", self.units, "counts", "relu8"),
        )


class Classifier(nn.Sequential):
    """Two fully connected layers and the classes: (B, C, h, w) or (B, features) -> (B, outputs) logits.

    `norm` puts batch normalisation before each ReLU; `dropout` comes after it.
    """

    def __init__(self, *, features: int, hidden: int, outputs: int, norm: bool = False, dropout: float = 0.0) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        for place, width in ((6, features), (7, hidden)):
            parts[f"fc{place}"] = nn.Linear(width, hidden)
            if norm:
                parts[f"norm{place}"] = nn.BatchNorm1d(hidden)
            parts[f"relu{place}"] = nn.ReLU(inplace=True)
            if dropout:
                parts[f"drop{place}"] = nn.Dropout(dropout)
        parts["top"] = nn.Linear(hidden, outputs)
        super().__init__(parts)


class TilesHead(nn.Module):
    """fc6 for each of nine tiles with the same weights, their outputs side by side into fc7, and the permutations.

    (9 B, C, h, w), the tiles of a puzzle after each other -> (B, N) logits of the N `permutations` (N, 9), which are
    kept with the weights: they are what the outputs mean. With `cells` maps are max-pooled to (cells, cells) first.
    """

    permutations: Tensor

    def __init__(
        self,
        *,
        features: int,
        tile_hidden: int,
        hidden: int,
        permutations: Tensor,
        norm: bool = False,
        dropout: float = 0.0,
        cells: int | None = None,
    ) -> None:
        super().__init__()
        tiles = permutations.shape[1]
        self.pool = nn.Identity() if cells is None else nn.AdaptiveMaxPool2d(cells)
        self.fc6 = _layer(features, tile_hidden, norm, dropout)
        self.fc7 = _layer(tiles * tile_hidden, hidden, norm, dropout)
        self.top = nn.Linear(hidden, len(permutations))
        self.register_buffer("permutations", permutations)

    def forward(self, maps: Tensor) -> Tensor:
        each = self.each(maps)  # (9 B, F)
        logits: Tensor = self.top(self.fc7(each.view(-1, self.permutations.shape[1] * each.shape[1])))
        return logits

    def each(self, maps: Tensor) -> Tensor:
        """The outputs for the nine tiles before they are combined: (9 B, C, h, w) -> (9 B, tile_hidden)."""
        features: Tensor = self.fc6(self.pool(maps).flatten(1))
        return features


def _layer(features: int, outputs: int, norm: bool, dropout: float) -> nn.Sequential:
    """A linear layer with its ReLU."""
    parts: list[nn.Module] = [nn.Linear(features, outputs)]
    if norm:
        parts.append(nn.BatchNorm1d(outputs))
    parts.append(nn.ReLU(inplace=True))
    if dropout:
        parts.append(nn.Dropout(dropout))
    return nn.Sequential(*parts)


class PairsHead(nn.Module):
    """fc6 for each of n patches with the same weights, then fc7, fc8 and the classes of `pairs` of them.

    (n B, C, h, w), the patches of a photo after each other -> (B, pairs, outputs) logits. `norm`: batch normalisation
    of fc6 and fc7, `batch_plain` without scale and shift.
    """

    def __init__(
        self, *, features: int, each: int, hidden: int, pairs: Sequence[tuple[int, int]], outputs: int, norm: str
    ) -> None:
        super().__init__()
        self.first, self.second = ([pair[place] for pair in pairs] for place in (0, 1))
        self.patches = max(max(pair) for pair in pairs) + 1

        def layer(inputs: int, width: int) -> nn.Sequential:
            kept = [] if norm == "none" else [nn.BatchNorm1d(width, affine=norm == "batch")]
            return nn.Sequential(nn.Linear(inputs, width), *kept, nn.ReLU(inplace=True))

        self.fc6 = layer(features, each)
        self.fc7 = layer(2 * each, hidden)
        self.fc8 = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(inplace=True))
        self.top = nn.Linear(hidden, outputs)

    def forward(self, maps: Tensor) -> Tensor:
        each = self.fc6(maps.flatten(1))
        each = each.view(-1, self.patches, each.shape[1])  # (n B, F) -> (B, n, F)
        both = torch.cat([each[:, self.first], each[:, self.second]], dim=2)  # (B, pairs, 2 F)
        logits: Tensor = self.top(self.fc8(self.fc7(both.flatten(0, 1))))
        return logits.view(len(each), len(self.first), -1)


class SplitHead(nn.Module):
    """Two heads of maps side by side, one for the first half of the channels and one for the second half."""

    def __init__(self, *, features: int, hidden: int, outputs: tuple[int, int], side: int, norm: bool) -> None:
        super().__init__()
        first, second = outputs
        self.first = MapHead(features=features // 2, hidden=hidden // 2, outputs=first, side=side, norm=norm)
        self.second = MapHead(features=features // 2, hidden=hidden // 2, outputs=second, side=side, norm=norm)

    def forward(self, maps: Tensor) -> Tensor:
        one, other = maps.chunk(2, dim=1)  # (B, C, h, w) -> (B, C / 2, h, w) each
        return torch.cat([self.first(one), self.second(other)], dim=1)


class MapHead(nn.Sequential):
    """Two layers and the classes at each cell of a map: (B, C, h, w) -> (B, outputs, h, w) logits.

    fc6 sees `side` x `side` cells that lie two apart; `norm` puts batch normalisation before each ReLU. What the task
    finds out about the classes before its first step is kept with the weights ("running": in full precision): the
    shares of the classes among the training pixels, and the best answer (a distribution) that is the same everywhere.
    Both are uniform until then.
    """

    running_shares: Tensor
    running_guess: Tensor

    def __init__(self, *, features: int, hidden: int, outputs: int, side: int, norm: bool) -> None:
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        for place, width, window in ((6, features, side), (7, hidden, 1)):
            parts[f"fc{place}"] = nn.Conv2d(width, hidden, window, padding=window - 1, dilation=2)
            if norm:
                parts[f"norm{place}"] = nn.BatchNorm2d(hidden)
            parts[f"relu{place}"] = nn.ReLU(inplace=True)
        parts["top"] = nn.Conv2d(hidden, outputs, 1)
        super().__init__(parts)
        for name in ("running_shares", "running_guess"):
            self.register_buffer(name, torch.full((outputs,), 1 / outputs))
