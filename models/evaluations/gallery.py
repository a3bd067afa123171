"""Evaluate a checkpoint on any gallery: does it count, how good are its neighbours, does it follow the known numbers?

All of it beside controls: its own random init, an averager and a constant; neighbours beside those by raw pixels,
numbers beside edge energy.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.checkpoints import storage as checkpoints
from models.checkpoints.storage import untrained
from models.counting.equation import views
from models.counting.scoring import evaluate, sides
from models.counting.truth_numbers import LEAST, edge_energies, number_correlations, numbers
from models.crops import count_view, trunk_square
from models.evaluations.rows import EvaluationRows, choose, neighbourhood
from models.galleries.loading import decode_rows, regions_of
from models.galleries.packs import Pack
from models.network import Network
from models.resampling import fit_square
from models.search.knn_accuracy import gain, knn_hits, share_of

BATCH = 64
K = 20
PIXELS = 16  # side of the pictures whose raw values are compared
Features = dict[str, NDArray[np.float32]]
Tick = Callable[[str], None]


class TooFewImages(ValueError):
    """There is not enough to measure on; the message says why."""

    code = "too_few_images"


@dataclass(frozen=True)
class Amounts:
    """How many images are used: for the equation, as the database of neighbours, as queries."""

    images: int = 512
    database: int = 3500
    queries: int = 1300


def evaluate_on(
    pack: Pack, folder: Path, amounts: Amounts, *, device: str, seed: int, tick: Tick
) -> tuple[EvaluationRows, dict[str, Any]]:
    """The rows that were used and the measures, in columns as on a card. Raises TooFewImages."""
    network = checkpoints.load(folder, device=device)
    before = untrained(network.card, device)
    chosen = choose(pack, network.card, folder, amounts.images)
    if len(chosen.rows) < 2:
        raise TooFewImages(_why(chosen, network.card.preprocess.crop))
    rows = chosen.rows.tolist()
    regions = regions_of(pack, rows, network.card.preprocess.region)
    report, _ = evaluate(network, before, regions, seed=seed, tick=tick)
    tick("comparing with what is known to be there")
    _add(report, truth(pack, rows, regions, network, before, seed))
    _add(report, neighbours(pack, folder, network, before, amounts, tick))
    return chosen, report


def truth(
    pack: Pack, rows: Sequence[int], regions: Sequence[Tensor], network: Network, before: Network, seed: int
) -> dict[str, dict[str, Any]]:
    """How counts follow the number of things present, on the images for which the gallery knows that number."""
    places, known = numbers(pack, rows, network.card.preprocess)
    if len(known) < LEAST:
        return {}
    kept, parts = [rows[place] for place in places], [regions[place] for place in places]
    edges = edge_energies(pack, kept, network.card.preprocess)
    found = {
        "network": number_correlations(sides(network, parts).whole, known, seed=seed),
        "random_init": number_correlations(sides(before, parts).whole, known, seed=seed),
        "edge_energy": {"total_and_number": number_correlations(edges[:, None], known, seed=seed)["total_and_number"]},
    }
    # Crops of one picture are not independent, which an interval over images ignores: the number of pictures is kept.
    pictures = len({row.source or row.path for row in pack.metadata(kept)})
    return {column: {name: {**cell, "pictures": pictures} for name, cell in of.items()} for column, of in found.items()}


def neighbours(
    pack: Pack, folder: Path, network: Network, before: Network, amounts: Amounts, tick: Tick
) -> dict[str, dict[str, Any]]:
    """20-NN accuracy in every conv layer, the counts and raw pixels, where the gallery has labels."""
    found = neighbourhood(pack, network.card, folder, database=amounts.database, queries=amounts.queries)
    if found is None or len(found.database) < K:
        return {}
    rows = [*found.database.tolist(), *found.queries.tolist()]
    labels = np.array([found.classes[row] for row in rows])
    cut = len(found.database)

    def hits(features: NDArray[np.float32]) -> NDArray[np.bool_]:
        return knn_hits(features[:cut], labels[:cut], features[cut:], labels[cut:], k=K)

    tick(f"neighbours of {len(rows) - cut} images among {cut}, raw pixels")
    pixels = hits(raw_pixels(pack, rows))
    right: dict[str, dict[str, NDArray[np.bool_]]] = {}
    for column, net in (("network", network), ("random_init", before)):
        tick(f"neighbours, {column.replace('_', ' ')}")
        right[column] = {name: hits(vectors) for name, vectors in features(net, pack, rows, tick).items()}
    report = {column: {f"knn20_{name}": share_of(hit) for name, hit in of.items()} for column, of in right.items()}
    for name, hit in right["network"].items():
        report["network"][f"knn20_{name}_gain"] = gain(hit, right["random_init"][name])
        report["network"][f"knn20_{name}_gain_pixels"] = gain(hit, pixels)
    return {**report, "raw_pixels": {f"knn20_{name}": share_of(pixels) for name in right["network"]}}


def raw_pixels(pack: Pack, rows: Sequence[int]) -> NDArray[np.float32]:
    """The central square of each image at 16 x 16, (n, 768) in 0..1."""
    found = []
    for _, image in decode_rows(pack, rows):
        side = min(image.shape[1:])
        top, left = (image.shape[1] - side) // 2, (image.shape[2] - side) // 2
        found.append(fit_square(image[:, top : top + side, left : left + side], PIXELS).flatten())
    return (torch.stack(found).float() / 255).numpy()


def features(network: Network, pack: Pack, rows: Sequence[int], tick: Tick) -> Features:
    """Each conv layer's mean over space and the count vector, as a scan reads them: name -> (n, D)."""
    layers = [layer.name for layer in network.card.trunk_layers]
    found: dict[str, list[Tensor]] = {name: [torch.empty(0)] * len(rows) for name in (*layers, "counts")}
    for places, squares, crops in _batches(network, pack, rows):
        with network.hooks(layers) as seen:
            network.run_trunk(network.trunk_input(squares))
        pooled = {name: seen[name].float().mean(dim=(2, 3)).cpu() for name in layers}
        pooled["counts"] = network.run_counts(views(network, crops)[:, 0]).float().cpu()
        for name, vectors in pooled.items():
            for place, vector in zip(places, vectors, strict=True):
                found[name][place] = vector
        tick("")
    return {name: torch.stack(vectors).numpy() for name, vectors in found.items()}


def _batches(network: Network, pack: Pack, rows: Sequence[int]) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Images of one size together: their places in `rows`, what the trunk sees of them, what the count path sees."""
    how = network.card.preprocess
    groups: dict[int, list[tuple[int, Tensor, Tensor]]] = defaultdict(list)
    for place, (_, image) in enumerate(decode_rows(pack, rows)):
        square = trunk_square(image, how)[0]
        group = groups[square.shape[-1]]
        group.append((place, square, count_view(image, how)[0]))
        if len(group) == BATCH:
            yield _stacked(group)
            group.clear()
    for group in groups.values():
        if group:
            yield _stacked(group)


def _stacked(group: Sequence[tuple[int, Tensor, Tensor]]) -> tuple[list[int], Tensor, Tensor]:
    places, squares, crops = zip(*group, strict=True)
    return list(places), torch.stack(squares), torch.stack(crops)


def _add(report: dict[str, Any], more: Mapping[str, Mapping[str, Any]]) -> None:
    for column, cells in more.items():
        report[column] = {**report.get(column, {}), **cells}


def _why(chosen: EvaluationRows, crop: int) -> str:
    small = f"{chosen.too_small} are smaller than the crop of {crop} px" if chosen.too_small else ""
    seen = f"{chosen.seen} were trained on" if chosen.seen else ""
    why = " and ".join(part for part in (small, seen) if part) or "it holds too few"
    return f"Evaluating needs at least two images of the gallery ({chosen.part}): {why}."
