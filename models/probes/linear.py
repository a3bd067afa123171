"""Linear classifiers on frozen layers, all trained together: batch norm without scale and shift, then one linear layer.

The recipe is that of Zhang, Isola, Efros (models/probes/protocol.py). Each channel is normalised by its mean and
deviation over all training crops, of which those of a batch are an estimate. Normalising is then part of the linear
map, and costs nothing.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.probes.average_precision import IGNORED, Present
from models.probes.features import Features, StoredLayer
from models.probes.protocol import MOMENTUM, WEIGHT_DECAY, Protocol, rate
from models.seeds import generator

INITIAL_STD = 0.01
EPSILON = 1e-5  # batch norm's own
ORDER = 3  # the stream that batches are drawn from
WEIGHTS = 5
CHUNK = 512

Scores = dict[str, NDArray[np.float32]]


class LinearProbe(nn.Module):
    """One layer's classifier: stored maps (B, dims) -> scores (B, classes)."""

    mean: Tensor
    inverse: Tensor

    def __init__(self, layout: StoredLayer, moments: tuple[Tensor, Tensor], classes: int, rng: torch.Generator) -> None:
        super().__init__()
        mean, deviation = (part.repeat_interleave(layout.cells) for part in moments)  # (C,) -> (C cells,)
        self.register_buffer("mean", mean)
        self.register_buffer("inverse", (deviation.square() + EPSILON).rsqrt())
        self.weight = nn.Parameter(torch.empty(classes, layout.dims))
        self.bias = nn.Parameter(torch.zeros(classes))
        nn.init.normal_(self.weight, std=INITIAL_STD, generator=rng)

    def forward(self, maps: Tensor) -> Tensor:
        """weight @ ((maps - mean) * inverse) + bias, without a normalised copy of the maps."""
        weight = self.weight * self.inverse
        return F.linear(maps, weight, self.bias - weight @ self.mean)


def loss_of(scores: Tensor, present: Tensor, *, several: bool) -> Tensor:
    """Softmax over classes; with several classes an image a sigmoid each, ignored ones left out. (B, C) each -> ()."""
    if not several:
        return F.cross_entropy(scores, present.argmax(dim=1))
    known = present != IGNORED
    each = F.binary_cross_entropy_with_logits(scores, (present == 1).to(scores.dtype), reduction="none")
    return (each * known).sum(dim=1).mean()


def train(
    features: Features,
    present: Present,
    protocol: Protocol,
    *,
    several: bool,
    seed: int,
    device: str,
    tick: Callable[[int, float], None],
) -> Scores:
    """Train every layer's classifier on the same batches and score the test images, (n, C) a layer.

    `present` (n, C) are the classes of the training images. `tick` is called with step and loss, and may raise to stop.
    """
    labels = torch.from_numpy(present.astype(np.int64)).to(device)
    rng = generator(seed, WEIGHTS)
    probes = {
        one.name: LinearProbe(one, features.moments.of(one.name), present.shape[1], rng).to(device)
        for one in features.layouts
    }
    weights = [weight for one in probes.values() for weight in one.parameters()]
    optimiser = torch.optim.SGD(weights, lr=protocol.lr, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    batch = min(protocol.batch, features.learning)
    order = np.random.default_rng([seed, ORDER])
    for step in range(protocol.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, protocol.steps, protocol.lr)
        places = np.sort(order.choice(features.learning, batch, replace=False))
        maps = features.batch(places, order.integers(0, features.views, batch))
        wanted = labels[torch.from_numpy(places).to(device)]
        losses = [loss_of(probes[name](part.to(device)), wanted, several=several) for name, part in maps.items()]
        total = torch.stack(losses).sum()  # the layers share no parameters, so their gradients are independent
        optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        tick(step + 1, float(total.detach()) / len(losses))
    return _score(probes, features, device)


@torch.inference_mode()
def _score(probes: dict[str, LinearProbe], features: Features, device: str) -> Scores:
    found: dict[str, list[NDArray[Any]]] = {one.name: [] for one in features.layouts}
    for start in range(0, features.tested, CHUNK):
        for name, part in features.tests(start, min(start + CHUNK, features.tested)).items():
            found[name].append(probes[name](part.to(device)).float().cpu().numpy())
    return {name: np.concatenate(parts).astype(np.float32) for name, parts in found.items()}
