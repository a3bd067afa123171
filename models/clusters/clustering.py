"""Cluster a layer's embeddings of a scan: fit centres on the train rows, then assign every row to its nearest one.

Noroozi, Vinjimoor, Favaro, Pirsiavash, "Boosting Self-Supervised Learning via Knowledge Transfer", CVPR 2018,
https://arxiv.org/abs/1805.00385: steps (b) and (c), where clusters are found once, and the clusters of one data set may
be applied to another.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.atomic import replace_folder, write_bytes
from models.clusters import files as clusterings
from models.clusters.files import ClusteringInfo, ClusteringReader, Options, fitted_mask
from models.clusters.kmeans import Floats, TooManyClusters, assign, block_rows, first_centres, kmeans
from models.clusters.measures import against_labels, spread
from models.clusters.space import Space, fit_space
from models.galleries.packs import Pack
from models.scans.files import ScanReader

POINTS, PROGRESS = "points.f32", "kmeans.npz"
READ = 4096  # rows brought to the space at a time
SAVE_EVERY = 5.0  # seconds between two savings of the centres
Report = Callable[[int, int, str, Mapping[str, float]], None]  # step, total, unit, metrics; may raise to stop


@dataclass(frozen=True)
class Fitted:
    """Centres (k, d), the space they lie in, and a record of how they were fitted."""

    space: Space
    centres: Floats
    inertia: tuple[float, ...] = ()
    reseeded: tuple[int, ...] = ()
    memory: int = 0


class ChosenRows:
    """Some rows of a layer's embeddings, read from the scan's files when they are needed; a slice gives (n, D)."""

    def __init__(self, parts: list[NDArray[Any]], chosen: NDArray[np.bool_]) -> None:
        self._parts, self._rows = parts, np.flatnonzero(chosen)
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.shape = (len(self._rows), parts[0].shape[1])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, wanted: slice) -> NDArray[Any]:
        rows = self._rows[wanted]
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        found = np.empty((len(rows), self.shape[1]), self._parts[0].dtype)
        for shard in np.unique(shards):
            here = shards == shard
            found[here] = self._parts[shard][rows[here] - self._starts[shard]]
        return found


def cluster(
    reader: ScanReader,
    pack: Pack,
    folder: Path,
    state: Path,
    *,
    name: str,
    layer: str,
    options: Options,
    source: ClusteringReader | None = None,
    report: Report,
    provenance: Mapping[str, Any],
) -> ClusteringInfo:
    """Write the clustering `name` of a scan's layer to `folder`, continuing from what an earlier attempt saved in
    `state`.

    `source` gives centres that were fitted elsewhere, for method "centres". Raises TooManyClusters, BadSpace, KeyError
    for an unknown layer, and what `report` raises.
    """
    began = time.monotonic()
    units = reader.layer(layer).units
    parts = list(reader.embedding_parts(layer))
    fitted = np.zeros(reader.rows, dtype=bool)
    found: Fitted | None = None
    if options.method == "kmeans":
        fitted = fitted_mask(pack, options, reader.rows)
        found = _fit(ChosenRows(parts, fitted), state, options, report)
    elif source is not None and source.centres is not None:
        found = Fitted(source.space, source.centres)
    work = state / "clustering"
    work.mkdir(parents=True, exist_ok=True)
    sha256 = None if found is None else clusterings.write_centres(work, found.centres, found.space)
    clusters = _assign_all(work, parts, found, options, report)
    info = ClusteringInfo(
        name=name,
        scan=str(provenance["scan"]),
        checkpoint=reader.info.checkpoint,
        checkpoint_sha256=reader.info.checkpoint_sha256,
        gallery=reader.info.gallery,
        shards=reader.info.shards,
        rows=reader.rows,
        layer=layer,
        units=units,
        dimension=units if found is None else found.centres.shape[1],
        options=options,
        fitted_rows=int(fitted.sum()),
        source=None if source is None else source.info.name,
        centres_sha256=sha256,
        inertia=() if found is None else found.inertia,
        reseeded=() if found is None else found.reseeded,
        spread=spread(np.bincount(clusters, minlength=options.k)),
        against_labels=against_labels(clusters, pack.label_codes()[: reader.rows], seed=options.seed),
        seconds=round(time.monotonic() - began, 2),
        memory_bytes=0 if found is None else found.memory,
        provenance={key: value for key, value in provenance.items() if key != "scan"},
    )
    clusterings.write_info(work, info, fitted)
    replace_folder(work, folder)
    (state / POINTS).unlink(missing_ok=True)
    return info


def memory_needed(rows: int, dimension: int, k: int) -> int:
    """Bytes that fitting needs at most: the centres, their sums in double precision, one block of rows and two copies
    of it.

    The vectors themselves (rows x dimension x 4 bytes) lie in a file, of which the system keeps in memory what fits.
    """
    return k * dimension * (4 + 4 + 8) + 3 * min(rows, block_rows(dimension)) * dimension * 4


def _fit(rows: ChosenRows, state: Path, options: Options, report: Report) -> Fitted:
    count, dimension = rows.shape[0], options.pca or rows.shape[1]
    if options.k > count:
        raise TooManyClusters(
            f"{options.k} clusters need at least {options.k} images to be fitted on, and there are {count}"
        )
    space = fit_space(
        rows,  # type: ignore[arg-type]  # sliced like an array, read block by block
        normalise=options.normalise or options.spherical,
        pca=options.pca,
        whiten=options.whiten,
        tick=lambda done: report(done, count, "images rotated", {}),
    )
    points = write_points(state / POINTS, rows, space, dimension, report)
    earlier = _saved(state / PROGRESS, options.k, dimension)
    number, inertia, reseeded = 0, list[float](), list[int]()
    if earlier is None:
        centres = first_centres(points, options.k, seed=options.seed, spherical=options.spherical)
    else:
        number, centres, inertia, reseeded = earlier
    saved = time.monotonic()

    def tick(_done: int) -> None:
        report(number, options.iterations, "iterations", {})

    steps = kmeans(
        points,
        centres,
        iterations=options.iterations,
        seed=options.seed,
        spherical=options.spherical,
        begin=number,
        tick=tick,
    )
    for step in steps:
        number, centres = step.number, step.centres
        inertia.append(step.inertia)
        reseeded.append(step.reseeded)
        if time.monotonic() - saved > SAVE_EVERY:
            _save(state / PROGRESS, number, centres, inertia, reseeded)
            saved = time.monotonic()
        report(number, options.iterations, "iterations", {"inertia": step.inertia / count, "reseeded": step.reseeded})
    last = float(assign(points, centres, tick)[1].sum(dtype=np.float64))
    return Fitted(space, centres, (*inertia, last), tuple(reseeded), memory_needed(count, dimension, options.k))


def write_points(path: Path, rows: ChosenRows, space: Space, dimension: int, report: Report) -> Floats:
    """The fitted rows in their space, as a mapped file: (n, d) float32. A finished one is used again."""
    size = len(rows) * dimension * 4
    if not path.exists() or path.stat().st_size != size:
        with path.open("wb") as stream:
            for start in range(0, len(rows), READ):
                stream.write(space.apply(rows[start : start + READ]).tobytes())
                report(min(start + READ, len(rows)), len(rows), "images read", {})
    return np.memmap(path, np.float32, mode="r", shape=(len(rows), dimension))


def _assign_all(
    work: Path, parts: list[NDArray[Any]], found: Fitted | None, options: Options, report: Report
) -> NDArray[np.int32]:
    """Every image's cluster, written shard by shard."""
    rng = np.random.default_rng([options.seed, 2])
    total, done, everyone = sum(len(part) for part in parts), 0, []
    for index, part in enumerate(parts):
        if found is None:
            clusters = rng.integers(options.k, size=len(part), dtype=np.int32)
            distances = np.full(len(part), np.nan, np.float32)
        else:
            clusters, squared = assign(found.space.apply(part), found.centres)
            distances = np.sqrt(squared)
        clusterings.write_assignment(work, index, clusters, distances)
        everyone.append(clusters)
        done += len(part)
        report(done, total, "images assigned", {})
    return np.concatenate(everyone)


def _save(path: Path, number: int, centres: Floats, inertia: list[float], reseeded: list[int]) -> None:
    buffer = BytesIO()
    np.savez(buffer, number=number, centres=centres, inertia=np.array(inertia), reseeded=np.array(reseeded, np.int64))
    write_bytes(path, buffer.getvalue())


def _saved(path: Path, k: int, dimension: int) -> tuple[int, Floats, list[float], list[int]] | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        if arrays["centres"].shape != (k, dimension):
            return None
        return int(arrays["number"]), arrays["centres"], arrays["inertia"].tolist(), arrays["reseeded"].tolist()
