"""Do a checkpoint's features make sense on a gallery, and would they with images prepared in another way?

Looked at: what layers say (dead, exploding), how smooth the first filters are, and 20-NN accuracy where there are
labels, all beside the same architecture untrained. Preparations are chosen on one half of the images and scored on the
other, whose neighbours are searched in the first half.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import checkpoints
from models.alternatives import Alternative, alternatives
from models.card import Card, LayerCard, first_layer_filters, read_report
from models.encoders.layers import LINEAR
from models.equation import trunk_square
from models.evaluation_rows import unseen
from models.filters import measure, noise_medians
from models.loading import decode_rows
from models.neighbours import gain, knn_hits, share_of
from models.network import Network
from models.packs import Pack
from models.probe_eyes import random_twin
from models.sanity_report import LayerLook, Sanity, Share, Variant

SECONDS = 15.0
FEWEST, MOST = 64, 500
LABELLED = 8  # images below which no neighbours are asked for
K = 20
TIMED = 8  # images on which speed is measured
BATCH = 32

Hits = NDArray[np.bool_]
Labels = NDArray[np.int64]
Features = NDArray[np.float32]
Tick = Callable[[str, int, int], None]


class NothingToLookAt(ValueError):
    """The gallery or the checkpoint has nothing to check; the message says why."""

    code = "nothing_to_check"


@dataclass(frozen=True)
class Seen:
    """A network's answers: the features (n, D) and what each layer said."""

    features: Features
    layers: tuple[LayerLook, ...]


def sanity(
    pack: Pack,
    folder: Path,
    *,
    checkpoint: str,
    gallery: str,
    seconds: float = SECONDS,
    device: str = "cpu",
    seed: int = 0,
    tick: Tick = lambda *_: None,
) -> Sanity:
    """Check the checkpoint in `folder` on a gallery; `tick` hears what is done, its number and of how many.

    Raises NothingToLookAt, and what `checkpoints.load` raises.
    """
    network = checkpoints.load(folder, device=device)
    if network.card.filters_only:
        raise NothingToLookAt("only the filters of the first layer are known, and they cannot look at images")
    twin = random_twin(network.card, seed, device)
    ways = _possible(network, alternatives(network.card.preprocess, _offered(folder)))
    rows, labels = _rows(pack, network.card, folder, seed)
    images = [image for _, image in decode_rows(pack, rows[:MOST])]
    if not images:
        raise NothingToLookAt("the gallery has no images that the checkpoint was not trained on")
    own, slowest = _seconds_an_image(network, twin, images, ways)
    count = fitting(own, seconds, len(images))
    compared = min(count, fitting(slowest, seconds, len(images)))
    images, labels = images[:count], None if labels is None else labels[:count]
    check = _Check(network, twin, images, labels, compared)
    tried: list[_Tried] = []
    for number, way in enumerate(ways):
        shown = images if number == 0 else images[:compared]
        tick(f"{way.name}: {len(shown)} images", number, len(ways))
        tried.append(check.of(way, shown))
    tick("", len(ways), len(ways))
    return _report(check, tried, pack, rows[:count], folder, checkpoint, gallery, seed)


def fitting(an_image: float, seconds: float, there_are: int) -> int:
    """How many images fit in the time: 64 to 500, as far as there are so many."""
    return min(there_are, max(FEWEST, min(MOST, int(seconds / max(an_image, 1e-9)))))


def leave_one_out(features: Features, labels: Labels, *, k: int = K) -> Hits:
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


def feature_layer(card: Card) -> LayerCard:
    """The last layer before a classifier: the last one that is not read as it is."""
    seen = [layer for layer in card.layers if layer.on_trunk]
    return next((layer for layer in reversed(seen) if layer.value != LINEAR), seen[-1])


@dataclass(frozen=True)
class _Tried:
    way: Alternative
    seen: Seen
    twin: Seen
    seconds: float


class _Check:
    """Both networks, the images, and their classes."""

    def __init__(
        self, network: Network, twin: Network, images: Sequence[Tensor], labels: Labels | None, compared: int
    ) -> None:
        self.network, self.twin, self.images, self.labels = network, twin, images, labels
        self.compared = compared
        self.k = min(K, compared // 4)

    def of(self, way: Alternative, images: Sequence[Tensor]) -> _Tried:
        start = time.monotonic()
        seen, twin = (see(prepared(net, way), images) for net in (self.network, self.twin))
        return _Tried(way, seen, twin, time.monotonic() - start)

    def within(self, seen: Seen, part: slice) -> Hits:
        assert self.labels is not None
        return leave_one_out(seen.features[part], self.labels[part], k=self.k)

    def across(self, seen: Seen) -> Hits:
        """The second half, asked in the first."""
        assert self.labels is not None
        first, second = self.halves
        vectors, labels = seen.features, self.labels
        return knn_hits(vectors[first], labels[first], vectors[second], labels[second], k=self.k)

    @property
    def halves(self) -> tuple[slice, slice]:
        middle = self.compared // 2
        return slice(0, middle), slice(middle, self.compared)


def prepared(network: Network, way: Alternative) -> Network:
    """The same network, shown images in that way."""
    card = replace(network.card, preprocess=way.preprocess)
    return Network(card, network.encoder, network.head, str(network.device), network.dtype)


@torch.inference_mode()
def see(network: Network, images: Sequence[Tensor]) -> Seen:
    """The features and the layers of images (3, H, W) uint8; values that are not finite count as zero in features."""
    layers = [layer for layer in network.card.layers if layer.on_trunk]
    last, parts, looks = feature_layer(network.card), [], [_Look(layer) for layer in layers]
    for start in range(0, len(images), BATCH):
        squares = [trunk_square(image, network.card.preprocess)[0] for image in images[start : start + BATCH]]
        for same in _by_size(squares):
            with network.hooks([layer.name for layer in layers]) as seen:
                network.run_trunk(network.trunk_input(same))
            for look in looks:
                look.add(seen[look.layer.name].float())
            values = seen[last.name].float()
            pooled = values.mean(dim=(2, 3)) if last.kind == "conv" else values
            parts.append(pooled.nan_to_num(0.0, 0.0, 0.0).cpu())
    return Seen(torch.cat(parts).numpy(), tuple(look.done() for look in looks))


def _by_size(squares: Sequence[Tensor]) -> list[Tensor]:
    """Squares of one size as one batch, others one by one: their order stays."""
    if len({square.shape[-1] for square in squares}) == 1:
        return [torch.stack(list(squares))]
    return [square[None] for square in squares]


class _Look:
    """Running extremes of one layer."""

    def __init__(self, layer: LayerCard) -> None:
        self.layer = layer
        self.low: Tensor | None = None
        self.high: Tensor | None = None
        self.total, self.count, self.bad = 0.0, 0, 0

    def add(self, values: Tensor) -> None:
        """Values (B, U, h, w) or (B, U)."""
        finite = values.isfinite()
        self.bad += int((~finite).sum())
        values = values.where(finite, 0.0)
        units = values.movedim(1, 0).flatten(1)  # (B, U, ...) -> (U, B ...)
        low, high = units.amin(dim=1).cpu(), units.amax(dim=1).cpu()
        self.low = low if self.low is None else torch.minimum(self.low, low)
        self.high = high if self.high is None else torch.maximum(self.high, high)
        self.total += float(values.abs().sum(dtype=torch.float64))
        self.count += values.numel()

    def done(self) -> LayerLook:
        assert self.low is not None and self.high is not None
        still = (self.high - self.low) <= 0
        largest = float(torch.maximum(self.high.abs(), self.low.abs()).max())
        return LayerLook(
            self.layer.name, len(still), float(still.float().mean()), self.total / self.count, largest, self.bad
        )


def _offered(folder: Path) -> Sequence[dict[str, object]]:
    report = read_report(folder)
    return [] if report is None else report["guess"]["preprocess"]


def _possible(network: Network, ways: Sequence[Alternative]) -> list[Alternative]:
    """Those that the network takes: fully connected layers and positions are made for one size."""
    found: list[Alternative] = []
    for way in ways:
        side = way.preprocess.trunk_size or way.preprocess.size
        try:
            see(prepared(network, way), [torch.zeros(3, side, side, dtype=torch.uint8)])
        except (RuntimeError, ValueError, AssertionError):
            if not found:
                raise
            continue
        found.append(way)
    return found


def _rows(pack: Pack, card: Card, folder: Path, seed: int) -> tuple[list[int], Labels | None]:
    """Rows in a random order that were not trained on, labelled ones where there are two classes of them."""
    codes = pack.label_codes().astype(np.int64)
    rows = unseen(pack, card, folder, np.arange(len(pack)))
    labelled = rows[codes[rows] >= 0]
    useful = len(np.unique(codes[labelled])) >= 2 and len(labelled) >= LABELLED
    kept = np.random.default_rng(seed).permutation(labelled if useful else rows)
    return kept.tolist(), codes[kept] if useful else None


def _seconds_an_image(
    network: Network, twin: Network, images: Sequence[Tensor], ways: Sequence[Alternative]
) -> tuple[float, float]:
    """What both networks take for one image, prepared as registered and in the slowest way."""
    few = list(images[:TIMED])
    see(prepared(network, ways[0]), few[:1])  # the first pass plans
    start = time.monotonic()
    for net in (network, twin):
        see(prepared(net, ways[0]), few)
    took = (time.monotonic() - start) / len(few)
    sizes = [way.preprocess.trunk_size or way.preprocess.size for way in ways]
    return took, took * (max(sizes) / sizes[0]) ** 2


def _report(
    check: _Check,
    tried: Sequence[_Tried],
    pack: Pack,
    rows: Sequence[int],
    folder: Path,
    checkpoint: str,
    gallery: str,
    seed: int,
) -> Sanity:
    card, labels, everything = check.network.card, check.labels, slice(None)
    variants = tuple(_variant(check, one) for one in tried)
    scores = [one.first.value if one.first else 0.0 for one in variants]
    best = int(np.argmax(scores))
    own = untrained = None
    if labels is not None:
        own, untrained = (check.within(seen, everything) for seen in (tried[0].seen, tried[0].twin))
    known = pack.sources()
    before, after = _smoothness(folder, check.twin)
    return Sanity(
        checkpoint=checkpoint,
        gallery=gallery,
        weights_sha256=card.weights_sha256,
        gallery_fingerprint=pack.fingerprint,
        images=len(rows),
        compared=check.compared,
        labelled=0 if labels is None else len(labels),
        classes=0 if labels is None else len(np.unique(labels)),
        confounded=labels is not None and confounded(labels, np.asarray(known)[list(rows)].astype(np.int64)),
        neighbours=check.k,
        layer=feature_layer(card).name,
        variants=variants,
        best=best,
        own=None if own is None else _share(share_of(own)),
        own_untrained=None if untrained is None else _share(share_of(untrained)),
        gain=None if own is None or untrained is None else _share(gain(own, untrained)),
        better=None
        if labels is None or best == 0
        else _share(gain(check.across(tried[best].seen), check.across(tried[0].seen))),
        layers=tried[0].seen.layers,
        untrained_layers=tried[0].twin.layers,
        smoothness=after,
        untrained_smoothness=before,
        noise=_noise(folder),
        seed=seed,
        finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def _variant(check: _Check, one: _Tried) -> Variant:
    first = second = untrained = more = None
    if check.labels is not None:
        hits, others = check.across(one.seen), check.across(one.twin)
        first = _share(share_of(check.within(one.seen, check.halves[0])))
        second, untrained = _share(share_of(hits)), _share(share_of(others))
        more = _share(gain(hits, others))
    way = one.way
    return Variant(way.name, way.reason, way.preprocess, first, second, untrained, more, one.seconds)


def _smoothness(folder: Path, twin: Network) -> tuple[float | None, float | None]:
    """The median total-variation ratio of the first filters, untrained and as they are; None without any."""
    try:
        now = first_layer_filters(folder)
        weight = twin.encoder.get_parameter(f"{twin.card.first_layer.name}.weight").detach().float().cpu().numpy()
        return measure(weight).medians()["tv_ratio"], measure(now).medians()["tv_ratio"]
    except (KeyError, ValueError, AttributeError):
        return None, None


def _noise(folder: Path) -> float | None:
    try:
        return noise_medians(first_layer_filters(folder).shape)["tv_ratio"]
    except (KeyError, ValueError):
        return None


def _share(found: dict[str, float | int | list[float] | None]) -> Share:
    interval = found["interval"]
    assert isinstance(interval, list) and isinstance(found["value"], float) and isinstance(found["n"], int)
    return Share(found["value"], interval[0], interval[1], found["n"])
