"""Do a checkpoint's features make sense on a gallery, and would they with images prepared in another way?

Checked are the values of each layer (dead units, exploding values), the smoothness of the first filters, and 20-NN
accuracy where there are labels, all beside the same architecture untrained. Preparations are chosen on one half of the
images and scored on the other, whose neighbours are searched in the first half.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from models.card import Card, read_report
from models.checkpoints import storage as checkpoints
from models.evaluations.rows import unseen
from models.galleries.loading import decode_rows
from models.galleries.packs import Pack
from models.network import Network
from models.probes.feature_sources import random_twin
from models.sanity.alternatives import Alternative, alternatives
from models.sanity.measures import Hits, Labels, confounded, leave_one_out, share, smoothness, white_noise
from models.sanity.readings import NetworkReading, feature_layer, possible, prepared, read_network
from models.sanity.report import Sanity, Variant
from models.search.knn_accuracy import gain, knn_hits, share_of

SECONDS = 15.0
FEWEST, MOST = 64, 500
LABELLED = 8  # images below which no neighbours are asked for
K = 20
TIMED = 8  # images on which speed is measured

Tick = Callable[[str, int, int], None]


class NothingToLookAt(ValueError):
    """The gallery has no images to check, or the checkpoint cannot be given any; the message says why."""

    code = "nothing_to_check"


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
    """Check the checkpoint in `folder` on a gallery; `tick` is called with what is done, its number and the total.

    Raises NothingToLookAt, and what `checkpoints.load` raises.
    """
    network = checkpoints.load(folder, device=device)
    if network.card.filters_only:
        raise NothingToLookAt("only the filters of the first layer are known, and they cannot look at images")
    twin = random_twin(network.card, seed, device)
    ways = possible(network, alternatives(network.card.preprocess, _offered(folder)))
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


@dataclass(frozen=True)
class _Tried:
    way: Alternative
    seen: NetworkReading
    twin: NetworkReading
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
        seen, twin = (read_network(prepared(net, way), images) for net in (self.network, self.twin))
        return _Tried(way, seen, twin, time.monotonic() - start)

    def within(self, seen: NetworkReading, part: slice) -> Hits:
        assert self.labels is not None
        return leave_one_out(seen.features[part], self.labels[part], k=self.k)

    def across(self, seen: NetworkReading) -> Hits:
        """The second half as queries, the first as database."""
        assert self.labels is not None
        first, second = self.halves
        vectors, labels = seen.features, self.labels
        return knn_hits(vectors[first], labels[first], vectors[second], labels[second], k=self.k)

    @property
    def halves(self) -> tuple[slice, slice]:
        middle = self.compared // 2
        return slice(0, middle), slice(middle, self.compared)


def _offered(folder: Path) -> Sequence[dict[str, object]]:
    report = read_report(folder)
    return [] if report is None else report["guess"]["preprocess"]


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
    read_network(prepared(network, ways[0]), few[:1])  # the first pass plans
    start = time.monotonic()
    for net in (network, twin):
        read_network(prepared(net, ways[0]), few)
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
    before, after = smoothness(folder, check.twin)
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
        own=None if own is None else share(share_of(own)),
        own_untrained=None if untrained is None else share(share_of(untrained)),
        gain=None if own is None or untrained is None else share(gain(own, untrained)),
        better=None
        if labels is None or best == 0
        else share(gain(check.across(tried[best].seen), check.across(tried[0].seen))),
        layers=tried[0].seen.layers,
        untrained_layers=tried[0].twin.layers,
        smoothness=after,
        untrained_smoothness=before,
        noise=white_noise(folder),
        seed=seed,
        finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def _variant(check: _Check, one: _Tried) -> Variant:
    first = second = untrained = more = None
    if check.labels is not None:
        hits, others = check.across(one.seen), check.across(one.twin)
        first = share(share_of(check.within(one.seen, check.halves[0])))
        second, untrained = share(share_of(hits)), share(share_of(others))
        more = share(gain(hits, others))
    way = one.way
    return Variant(way.name, way.reason, way.preprocess, first, second, untrained, more, one.seconds)
