"""What a clustering leaves on disk and how it is read: centres, the cluster of every image, and a card. Free of torch.

clustering.json                what was clustered, and how; written last, so a folder without it is not a clustering
centres.npy, space.npz         (k, d) float32, and how embeddings get there; neither for random pseudo-labels
assignment-00000.npz           of each shard: `clusters` int32 and `distances` float32 to the own centre
fitted.npy                     (rows,) bool: the images that the centres were fitted on
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.atomic import write_bytes, write_json
from models.card import file_sha256
from models.clusters.space import Space
from models.galleries.packs import Pack, Shard

CLUSTERING, CENTRES, SPACE, FITTED = "clustering.json", "centres.npy", "space.npz", "fitted.npy"
FORMAT = 1
TRAIN = "train"
HELD_OUT = 0.1  # of a gallery without a train split, kept out of the fit

Method = Literal["kmeans", "random", "centres"]
Floats = NDArray[np.float32]
Codes = NDArray[np.int32]


class ClusteringUnreadable(ValueError):
    """The folder holds no finished clustering, or files that do not belong together."""

    code = "clustering_unreadable"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to cluster. `pca` None: all units; `whiten` to variance 1; `spherical` implies `normalise`.

    `fit`: "train" rows (of a gallery without that split, nine tenths drawn by the seed), or "all".
    """

    method: Method = "kmeans"
    k: int = 100
    normalise: bool = True
    spherical: bool = False
    pca: int | None = None
    whiten: bool = False
    iterations: int = 20
    seed: int = 0
    fit: Literal["train", "all"] = "train"


@dataclass(frozen=True, kw_only=True)
class ClusteringInfo:
    """The content of clustering.json. `dimension` is that of the space, `units` that of the layer.

    `source` is the clustering whose centres were used, where they were fitted elsewhere. `inertia` is that before each
    iteration and, last, that of the stored centres, over the fitted images. `against_labels` was computed at the end,
    with labels that no earlier step used.
    """

    name: str
    scan: str
    checkpoint: str
    checkpoint_sha256: str
    gallery: str
    shards: tuple[Shard, ...]
    rows: int
    layer: str
    units: int
    dimension: int
    options: Options
    fitted_rows: int
    source: str | None
    centres_sha256: str | None
    inertia: tuple[float, ...]
    reseeded: tuple[int, ...]
    spread: Mapping[str, float]
    against_labels: Mapping[str, Any] | None
    seconds: float = 0.0
    memory_bytes: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)


def fitted_mask(pack: Pack, options: Options, rows: int) -> NDArray[np.bool_]:
    """Which of the first `rows` images centres are fitted on."""
    if options.fit == "all":
        return np.ones(rows, dtype=bool)
    if TRAIN in pack.splits():
        mask = np.zeros(len(pack), dtype=bool)
        mask[pack.select(split=TRAIN)] = True
        return mask[:rows]
    return np.random.default_rng([options.seed, 1]).random(rows) >= HELD_OUT


def write_centres(folder: Path, centres: Floats, space: Space) -> str:
    """Centres and their space; returns the sha256 of the centres."""
    write_bytes(folder / CENTRES, _npy(centres))
    buffer = BytesIO()
    arrays: dict[str, Any] = {"normalise": space.normalise, "mean": space.mean, "matrix": space.matrix}
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    write_bytes(folder / SPACE, buffer.getvalue())
    return file_sha256(folder / CENTRES)


def write_assignment(folder: Path, index: int, clusters: Codes, distances: Floats) -> None:
    """The images of one shard: their cluster, and the distance to its centre (NaN where there is none)."""
    buffer = BytesIO()
    np.savez(buffer, clusters=clusters.astype(np.int32), distances=distances.astype(np.float32))
    write_bytes(folder / _part(index), buffer.getvalue())


def write_info(folder: Path, info: ClusteringInfo, fitted: NDArray[np.bool_]) -> None:
    """Write clustering.json, which makes the clustering complete."""
    write_bytes(folder / FITTED, _npy(fitted))
    write_json(folder / CLUSTERING, {"format": FORMAT, **asdict(info)})


def read_info(folder: Path) -> ClusteringInfo:
    """Read clustering.json. Raises ClusteringUnreadable."""
    try:
        raw = json.loads((folder / CLUSTERING).read_text("utf-8"))
        if raw.pop("format") != FORMAT:
            raise ClusteringUnreadable("this clustering was written by another version of Tessera")
        raw["shards"] = tuple(Shard(**shard) for shard in raw["shards"])
        raw["options"] = Options(**raw["options"])
        raw["inertia"], raw["reseeded"] = tuple(raw["inertia"]), tuple(raw["reseeded"])
        return ClusteringInfo(**raw)
    except (OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, ClusteringUnreadable):
            raise
        raise ClusteringUnreadable(f"no readable {CLUSTERING}: {type(error).__name__}") from error


class ClusteringReader:
    """A finished clustering; assignments are read when first asked for, and kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.info = read_info(folder)

    @property
    def k(self) -> int:
        return self.info.options.k

    @cached_property
    def centres(self) -> Floats | None:
        """(k, d) float32; None for random pseudo-labels. Raises ClusteringUnreadable."""
        if self.info.centres_sha256 is None:
            return None
        centres: Floats = self._load(CENTRES)
        return centres

    @cached_property
    def space(self) -> Space:
        """The space in which the centres lie, to which embeddings are brought. Raises ClusteringUnreadable."""
        arrays = self._load(SPACE)
        return Space(bool(arrays["normalise"]), arrays.get("mean"), arrays.get("matrix"))

    @cached_property
    def clusters(self) -> Codes:
        """The cluster of each row, (rows,) int32."""
        return self._assignments[0]

    @cached_property
    def distances(self) -> Floats:
        """The distance of each row to its centre, (rows,)."""
        return self._assignments[1]

    @cached_property
    def fitted(self) -> NDArray[np.bool_]:
        """Which rows the centres were fitted on, (rows,)."""
        mask: NDArray[np.bool_] = self._load(FITTED)
        return mask

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Images in each cluster, (k,)."""
        return np.bincount(self.clusters, minlength=self.k).astype(np.int64)

    @cached_property
    def _assignments(self) -> tuple[Codes, Floats]:
        parts = [self._load(_part(index)) for index in range(len(self.info.shards))]
        clusters = np.concatenate([part["clusters"] for part in parts])
        if len(clusters) != self.info.rows:
            raise ClusteringUnreadable("the assignments are not of as many images as were clustered")
        return clusters, np.concatenate([part["distances"] for part in parts])

    def members(self, cluster: int) -> NDArray[np.int64]:
        """The rows of a cluster, nearest to the centre first; in row order where there is no centre."""
        rows = np.flatnonzero(self.clusters == cluster)
        return rows[np.argsort(self.distances[rows], kind="stable")]

    def random_members(self, cluster: int, count: int, *, seed: int = 0) -> NDArray[np.int64]:
        """Up to `count` rows of a cluster, drawn by the seed, in row order."""
        rows = np.flatnonzero(self.clusters == cluster)
        drawn = np.random.default_rng([seed, cluster]).choice(rows, min(count, len(rows)), replace=False)
        return np.sort(drawn).astype(np.int64)

    def _load(self, name: str) -> Any:
        try:
            loaded = np.load(self.folder / name, allow_pickle=False)
            if name.endswith(".npy"):
                return loaded
            with loaded as arrays:
                return {key: arrays[key] for key in arrays.files}
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise ClusteringUnreadable(f"{name} is damaged or gone") from error


def _part(index: int) -> str:
    return f"assignment-{index:05d}.npz"


def _npy(array: NDArray[Any]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
