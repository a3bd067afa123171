"""Heads: what a task puts on the encoder."""

from collections import OrderedDict

from torch import nn

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
