"""Measure one source of features on the rows of a table: images are read once, then neighbours and all seeds follow."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from models.galleries.packs import Pack
from models.probes.average_precision import IGNORED
from models.probes.feature_sources import FeatureSource
from models.probes.features import Features, extract
from models.probes.knn import knn_scores
from models.probes.linear import Scores, train
from models.probes.protocol import Protocol, side_for
from models.probes.results import CONTROL, Probe, ProbedLayer, summary
from models.probes.rows import ProbeRows, Target, choose

Log = Callable[[str], None]
Progress = Callable[[int, int, str, dict[str, float]], None]
Outcomes = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class ProbeReports:
    """The functions that a probe reports to; `progress` may raise to stop."""

    log: Log
    progress: Progress


@dataclass(frozen=True)
class ProbeBench:
    """What every row of one table has in common."""

    pack: Pack
    gallery: str
    rows: ProbeRows
    side: int
    protocol: Protocol
    device: str
    place: Path
    state: Path
    reports: ProbeReports

    @classmethod
    def open(
        cls,
        pack: Pack,
        gallery: str,
        protocol: Protocol,
        *,
        device: str,
        place: Path,
        state: Path,
        reports: ProbeReports,
    ) -> "ProbeBench":
        """Choose the rows and the size of the crop. Raises Unlabelled."""
        target = cast(Target | None, protocol.target)
        rows = choose(pack, train=protocol.train, test=protocol.test, least=protocol.least, target=target)
        side = protocol.side or default_side(pack, rows)
        return cls(pack, gallery, rows, side, protocol, device, place, state, reports)


def default_side(pack: Pack, rows: ProbeRows) -> int:
    """The crop for a gallery's images: the paper's share of the median shorter side."""
    known = pack.metadata([*rows.train.tolist(), *rows.test.tolist()])
    return side_for(int(np.median([min(row.jpeg_width, row.jpeg_height) for row in known])))


def measure(bench: ProbeBench, source: FeatureSource, row: str, name: str) -> tuple[Probe, Outcomes]:
    """Read the images once, let neighbours vote, train the classifiers of every seed; the network stays frozen."""
    began, before = time.monotonic(), source.trunk_hash()
    features = _features(bench, source, row, name)
    outcomes = _neighbours(bench, features)
    trained = [_trained(bench, features, row, name, seed) for seed in bench.protocol.seeds]
    for layer in features.layouts:
        outcomes[f"linear/{layer.name}"] = np.stack([_outcome(bench, scores[layer.name]) for scores in trained])
    outcomes["present"] = bench.rows.test_present
    probe = _result(bench, features, outcomes, row, name)
    shutil.rmtree(bench.state / row, ignore_errors=True)
    return replace(
        probe, before=before, after=source.trunk_hash(), seconds=round(time.monotonic() - began, 1)
    ), outcomes


def _features(bench: ProbeBench, source: FeatureSource, row: str, name: str) -> Features:
    total = len(bench.rows.train) + len(bench.rows.test)
    bench.reports.log(f"{name}: looking at {total} images at {bench.side} px")
    return extract(
        bench.pack,
        bench.rows,
        source,
        bench.state / row,
        side=bench.side,
        views=bench.protocol.views,
        tick=lambda done: bench.reports.progress(done, total, "images", {}),
    )


def _neighbours(bench: ProbeBench, features: Features) -> Outcomes:
    found: Outcomes = {}
    for layer in features.layouts:
        stored, asked = features.means(layer.name)
        votes = knn_scores(
            stored, bench.rows.train_present, asked, k=bench.protocol.k, temperature=bench.protocol.temperature
        )
        found[f"knn/{layer.name}"] = _outcome(bench, votes)[None]
        bench.reports.progress(0, bench.protocol.steps, "steps", {})
    return found


def _trained(bench: ProbeBench, features: Features, row: str, name: str, seed: int) -> Scores:
    """One seed's scores, from an earlier attempt where it got that far."""
    path = bench.state / row / f"seed-{seed}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as arrays:
            return {layer: arrays[layer] for layer in arrays.files}
    bench.reports.log(f"{name}: linear classifiers on {len(features.layouts)} layers, seed {seed}")
    scores = train(
        features,
        bench.rows.train_present,
        bench.protocol,
        several=bench.rows.several,
        seed=seed,
        device=bench.device,
        tick=lambda step, loss: bench.reports.progress(
            step, bench.protocol.steps, "steps", {f"probe_loss_{seed}": loss} if row[0] != CONTROL else {}
        ),
    )
    partial = path.with_name(f".{path.name}")
    np.savez(partial, **scores)  # type: ignore[arg-type]
    partial.replace(path)
    return scores


def _outcome(bench: ProbeBench, scores: NDArray[np.float32]) -> NDArray[Any]:
    """Whether the highest score is the image's class (n,); with several classes the scores themselves (n, C)."""
    if bench.rows.several:
        return scores.astype(np.float32)
    return np.asarray(scores.argmax(axis=1) == bench.rows.test_present.argmax(axis=1))


def _result(bench: ProbeBench, features: Features, outcomes: Outcomes, row: str, name: str) -> Probe:
    present, several = bench.rows.test_present, bench.rows.several

    def layer(place: int) -> ProbedLayer:
        one = features.layouts[place]
        linear, knn = (summary(outcomes[f"{how}/{one.name}"], present, several=several) for how in ("linear", "knn"))
        return ProbedLayer(one.name, one.dims, one.cells, one.mean, linear, knn)

    return Probe(
        row=row,
        name=name,
        checkpoint=None,
        weights_sha256="",
        architecture="",
        gallery=bench.gallery,
        gallery_fingerprint=bench.pack.fingerprint,
        stamp=bench.rows.stamp,
        part=bench.rows.part,
        side=bench.side,
        protocol=bench.protocol,
        classes=bench.rows.classes,
        several=several,
        learned=len(bench.rows.train),
        tested=len(bench.rows.test),
        chance=chance(bench.rows),
        layers=tuple(layer(place) for place in range(len(features.layouts))),
        before="",
        after="",
        finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def chance(rows: ProbeRows) -> float:
    """The score of always answering the most frequent class; with several classes the mean prevalence."""
    right, known = (rows.test_present == 1).sum(axis=0), (rows.test_present != IGNORED).sum(axis=0)
    if rows.several:
        return float((right[right > 0] / known[right > 0]).mean())
    said = (rows.train_present == 1).sum(axis=0).argmax()
    return float(right[said] / len(rows.test))
