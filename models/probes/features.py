"""Features of every chosen layer, read from the images once and kept on disk in float16 for all seeds.

Two files a network: `maps.f16` (rows x views, all layers side by side) for linear classifiers and `means.f16` (rows)
for neighbours. A layer is scaled by a power of two so that float16 can hold it, which changes neither the normalised
maps nor the cosine. Each channel's mean and deviation over all training crops are kept with them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.atomic import write_json
from models.galleries.loading import decode_rows
from models.galleries.packs import Pack
from models.probes.feature_sources import FeatureSource, LayerFeatures, probe_crops
from models.probes.rows import ProbeRows

BATCH: Final = 64
HALF_MAX: Final = 65504.0
STATE: Final = "features.json"
Halves = NDArray[np.float16]
Tick = Callable[[int], None]


@dataclass(frozen=True)
class StoredLayer:
    """The place of a layer in the files: `channels` x `cells` numbers in maps, `mean` numbers in means.

    All of them are divided by `scale`.
    """

    name: str
    channels: int
    cells: int
    mean: int
    scale: float

    @property
    def dims(self) -> int:
        return self.channels * self.cells


class Moments:
    """Sums over the training crops, one a channel, from which means and deviations are computed."""

    def __init__(self, layouts: Sequence[StoredLayer], raw: Mapping[str, list[list[float]]] | None = None) -> None:
        self._sums = {
            one.name: torch.tensor(raw[one.name], dtype=torch.float64)
            if raw is not None
            else torch.zeros(3, one.channels, dtype=torch.float64)
            for one in layouts
        }

    def add(self, name: str, maps: Tensor) -> None:
        """Maps (B, C, cells), scaled as they are stored."""
        own = maps.cpu().double()
        count = torch.full((own.shape[1],), float(own.shape[0] * own.shape[2]), dtype=torch.float64)
        self._sums[name] += torch.stack([count, own.sum(dim=(0, 2)), own.square().sum(dim=(0, 2))])

    def of(self, name: str) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each channel, (C,) each."""
        count, total, squares = self._sums[name]
        mean = total / count
        return mean.float(), (squares / count - mean.square()).clamp_min(0).sqrt().float()

    def raw(self) -> dict[str, list[list[float]]]:
        return {name: sums.tolist() for name, sums in self._sums.items()}


class Features:
    """The stored features of one source on the rows of a probe; places 0 to n-1 are the training images, in order."""

    def __init__(
        self, folder: Path, layouts: Sequence[StoredLayer], moments: Moments, rows: ProbeRows, views: int
    ) -> None:
        self.layouts, self.moments, self.views = tuple(layouts), moments, views
        self.learning, self.tested = len(rows.train), len(rows.test)
        width, mean = sum(one.dims for one in layouts), sum(one.mean for one in layouts)
        self._maps = _mapped(folder / "maps.f16", (self.learning * views + self.tested, width))
        self._means = _mapped(folder / "means.f16", (self.learning + self.tested, mean))

    def put(self, view: int, places: Sequence[int], layers: dict[str, LayerFeatures]) -> None:
        """Store a batch: all views of places below `learning`, only the first view of the others."""
        at = np.asarray(places)
        learns = at < self.learning
        rows = np.where(learns, at * self.views + view, at + self.learning * (self.views - 1))
        scaled = {one.name: layers[one.name].maps / one.scale for one in self.layouts}
        self._maps[rows] = _side_by_side([maps.flatten(1) for maps in scaled.values()])
        for name, maps in scaled.items() if learns.any() else ():
            self.moments.add(name, maps[torch.from_numpy(learns).to(maps.device)])
        if view == 0:
            self._means[at] = _side_by_side([layers[one.name].means / one.scale for one in self.layouts])

    def flush(self) -> None:
        self._maps.flush()
        self._means.flush()

    def batch(self, places: NDArray[np.int64], views: NDArray[np.int64]) -> dict[str, Tensor]:
        """Maps (B, dims) by layer of these training images, each in the given view."""
        return self._split(self._maps[places * self.views + views])

    def tests(self, start: int, stop: int) -> dict[str, Tensor]:
        """Maps (B, dims) by layer of the test images from `start` to `stop`."""
        first = self.learning * self.views
        return self._split(self._maps[first + start : first + stop])

    def means(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """One layer's vectors for neighbours: those of the training images (n, E) and those of the test images."""
        start = 0
        for one in self.layouts:
            if one.name == name:
                found = self._means[:, start : start + one.mean].astype(np.float32)
                return found[: self.learning], found[self.learning :]
            start += one.mean
        raise KeyError(name)

    def _split(self, rows: Halves) -> dict[str, Tensor]:
        floats = torch.from_numpy(np.ascontiguousarray(rows)).float()
        parts = torch.split(floats, [one.dims for one in self.layouts], dim=1)
        return {one.name: part for one, part in zip(self.layouts, parts, strict=True)}


def extract(
    pack: Pack, rows: ProbeRows, source: FeatureSource, folder: Path, *, side: int, views: int, tick: Tick
) -> Features:
    """Read every row once and store its features; the shards that an earlier call finished are not read again.

    `tick` is called with the number of images done and may raise to stop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = _state(folder)
    features = _resumed(folder, state, rows, views) if state else None
    finished: list[int] = state["shards"] if state else []
    done = 0
    for shard, places in _by_shard(pack, rows):
        if shard in finished:
            done += len(places)
            tick(done)
            continue
        for batch, images in _batches(pack, rows, places):
            for view in range(views):
                kept = [i for i, place in enumerate(batch) if view == 0 or place < len(rows.train)]
                if not kept:
                    continue
                crops = probe_crops([images[i] for i in kept], [_row(rows, batch[i]) for i in kept], view, side)
                layers = dict(source.features(crops))
                if features is None:
                    layouts = _layouts(layers)
                    features = Features(folder, layouts, Moments(layouts), rows, views)
                features.put(view, [batch[i] for i in kept], layers)
            done += len(batch)
            tick(done)
        assert features is not None
        features.flush()
        finished = [*finished, shard]
        kept_layouts = [asdict(one) for one in features.layouts]
        write_json(folder / STATE, {"layouts": kept_layouts, "shards": finished, "moments": features.moments.raw()})
    assert features is not None
    return features


def _state(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / STATE).read_text())
    except (OSError, ValueError):
        return None
    return found


def _resumed(folder: Path, state: dict[str, Any], rows: ProbeRows, views: int) -> Features:
    layouts = [StoredLayer(**one) for one in state["layouts"]]
    return Features(folder, layouts, Moments(layouts, state["moments"]), rows, views)


def _layouts(layers: dict[str, LayerFeatures]) -> list[StoredLayer]:
    return [
        StoredLayer(name, one.maps.shape[1], one.maps.shape[2], one.means.shape[1], _scale(one.maps))
        for name, one in layers.items()
    ]


def _scale(values: Tensor) -> float:
    """The power of two nearest to the root mean square; 1 where all is zero."""
    size = float(values.float().square().mean().sqrt())
    return float(2.0 ** round(np.log2(size))) if size > 0 else 1.0


def _row(rows: ProbeRows, place: int) -> int:
    return int(rows.train[place] if place < len(rows.train) else rows.test[place - len(rows.train)])


def _by_shard(pack: Pack, rows: ProbeRows) -> Iterator[tuple[int, list[int]]]:
    """The places of each shard's rows."""
    every = np.concatenate([rows.train, rows.test])
    for index in range(len(pack.shards)):
        inside = pack.shard_range(index)
        places = np.flatnonzero((every >= inside.start) & (every < inside.stop)).tolist()
        if places:
            yield index, places


def _batches(pack: Pack, rows: ProbeRows, places: Sequence[int]) -> Iterator[tuple[list[int], list[Tensor]]]:
    batch: list[int] = []
    images: list[Tensor] = []
    for place, (_, image) in zip(places, decode_rows(pack, [_row(rows, place) for place in places]), strict=True):
        batch.append(place)
        images.append(image)
        if len(batch) == BATCH:
            yield batch, images
            batch, images = [], []
    if batch:
        yield batch, images


def _mapped(path: Path, shape: tuple[int, int]) -> "np.memmap[Any, np.dtype[np.float16]]":
    size = 2 * shape[0] * shape[1]
    mode: Any = "r+" if path.exists() and path.stat().st_size == size else "w+"
    return np.memmap(path, dtype=np.float16, mode=mode, shape=shape)


def _side_by_side(parts: Sequence[Tensor]) -> Halves:
    return torch.cat([part.clamp(-HALF_MAX, HALF_MAX).half().cpu() for part in parts], dim=1).numpy()
