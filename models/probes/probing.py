"""Probe a checkpoint on a labelled gallery: every layer's neighbours and linear classifier, beside controls.

The controls are rows of the same table, made from the very same crops: the same architecture with weights drawn from a
seed, raw pixels, a colour histogram and HOG. Controls that exist for these images and this protocol are not made again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from models.card import Card, read_card
from models.checkpoints import storage as checkpoints
from models.evaluations.rows import unseen
from models.network import resolve_precision
from models.probes import results as probe_results
from models.probes.bench import ProbeBench, measure
from models.probes.feature_sources import NetworkFeatures, PictureFeatures, random_twin
from models.probes.results import CONTROL, PICTURES, Probe
from models.seen import read_seen

SEED: Final = 0  # of the random twin


class BadProbe(ValueError):
    """The requested probe does not fit the checkpoint; the message says why."""

    code = "bad_probe"


def probe(bench: ProbeBench, folder: Path, row: str, layers: Sequence[str] | None, *, controls: bool) -> Probe:
    """Probe the checkpoint in `folder` as `row`, and its controls where they are wanted and not there yet."""
    card = read_card(folder)
    chosen = tuple(layers) if layers is not None else card.probed_layers
    if unknown := sorted(set(chosen) - set(card.probed_layers)):
        raise BadProbe(f"no layer {', '.join(unknown)}; there are: {', '.join(card.probed_layers)}")
    kept = (*pictures(bench), *twin(bench, card, chosen)) if controls else ()
    precision = resolve_precision("auto", bench.device)
    network = checkpoints.load(folder, device=bench.device, precision=precision)
    found, outcomes = measure(bench, NetworkFeatures(network, chosen), row, card.name)
    tested, listed = bench.rows.test, read_seen(folder) is not None
    says = listed or card.provenance.get("gallery_fingerprint") == bench.pack.fingerprint
    found = replace(
        found,
        checkpoint=row,
        weights_sha256=card.weights_sha256,
        architecture=card.architecture,
        seen=len(tested) - len(unseen(bench.pack, card, folder, tested)) if says else None,
        controls=kept,
    )
    probe_results.write(bench.place / row, found, outcomes)
    return found


def pictures(bench: ProbeBench) -> tuple[str, ...]:
    """The controls without a network: raw pixels, colours, HOG."""
    names = tuple(CONTROL + name for name in PICTURES)
    if all(_current(bench, name, (name.removeprefix(CONTROL),)) for name in names):
        return names
    found, outcomes = measure(bench, PictureFeatures(), "_pictures", "pictures")
    for layer in found.layers:
        one = replace(found, row=CONTROL + layer.name, name=PICTURES[layer.name], layers=(layer,), architecture="none")
        kept = {key: value for key, value in outcomes.items() if key.endswith("/" + layer.name) or key == "present"}
        probe_results.write(bench.place / one.row, one, kept)
    return names


def twin(bench: ProbeBench, card: Card, layers: tuple[str, ...]) -> tuple[str, ...]:
    """The same architecture from a seed; a checkpoint that was never trained is its own control."""
    if card.provenance.get("steps") == 0:
        return ()
    name = twin_row(card)
    if not _current(bench, name, layers):
        source = NetworkFeatures(random_twin(card, SEED, bench.device), layers)
        found, outcomes = measure(bench, source, name, f"random init of {card.architecture}")
        probe_results.write(bench.place / name, replace(found, architecture=card.architecture), outcomes)
    return (name,)


def twin_row(card: Card) -> str:
    """The row of a network's random twin: one for all checkpoints of the same shape and the same pixels."""
    how = card.preprocess
    shape = [card.architecture, card.encoder, card.head, how.normalise, how.mean, how.std, how.size, SEED]
    digest = hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode()).hexdigest()
    return f"{CONTROL}random-{digest[:8]}"


def _current(bench: ProbeBench, row: str, layers: tuple[str, ...]) -> bool:
    """Whether a control is there for exactly these images, crops and layers."""
    found = probe_results.read(bench.place / row)
    return (
        found is not None
        and (found.stamp, found.gallery_fingerprint) == (bench.rows.stamp, bench.pack.fingerprint)
        and (found.side, found.protocol) == (bench.side, bench.protocol)
        and set(layers) <= {layer.name for layer in found.layers}
    )
