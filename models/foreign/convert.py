"""Convert a foreign file of weights to a checkpoint: its tensors in our format, a card, and a report.

Weights keep the precision of the file. Everything that decides how they are used (architecture, preprocessing) is also
in the header of the weights. So the same file with other preprocessing is another checkpoint, and with the same
preprocessing it is the same checkpoint.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.atomic import write_json
from models.card import CHANNELS, REPORT, Card, LayerCard, Preprocess, write_card
from models.checkpoints.storage import write_weights
from models.encoders import layers
from models.foreign.mapping import NAMED, build, state_dict
from models.foreign.reading import read_tensors
from models.foreign.report import Guess, LoadReport
from models.foreign.weights import Inspection, WeightsCandidate

SMALLEST, LARGEST = 8, 1024  # side of a network's input
PRECISIONS = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}


class NonFiniteWeights(ValueError):
    """Some weights are NaN or infinite; `detail` has the number in each tensor."""

    code = "non_finite_weights"

    def __init__(self, message: str, detail: Mapping[str, int]) -> None:
        super().__init__(message)
        self.detail = dict(detail)


class BadPreprocess(ValueError):
    """The requested preprocessing is impossible or does not fit the network; the message says why."""

    code = "bad_preprocess"


@dataclass(frozen=True)
class WeightsOrigin:
    """Where the tensors came from: the name of the file, what was found in it, and the chosen candidate."""

    file: str
    inspection: Inspection
    candidate: WeightsCandidate

    def provenance(self) -> dict[str, Any]:
        stripped = [part for part in (self.candidate.prefix, *self.candidate.inner) if part]
        return {
            "file": self.file,
            "file_sha256": self.inspection.sha256,
            "format": self.inspection.format,
            "weights": self.candidate.name,
            "stripped": stripped or None,
            "epoch": self.inspection.metadata.get("epoch"),
        }


def convert_file(
    path: Path,
    source: WeightsOrigin,
    found: LoadReport,
    preprocess: Preprocess,
    folder: Path,
    *,
    name: str,
    accept_non_finite: bool = False,
) -> Card:
    """Read the candidate's tensors from the file that was inspected, and convert them.

    Raises UnreadableWeights (also where the file has changed since), DoesNotFit, NonFiniteWeights, BadPreprocess.
    """
    _require_finite(source.candidate, accept_non_finite)
    tensors = read_tensors(path, source.candidate.name, sha256=source.inspection.sha256)
    return convert(tensors, source, found, preprocess, folder, name=name)


def convert(
    tensors: Mapping[str, Tensor],
    source: WeightsOrigin,
    found: LoadReport,
    preprocess: Preprocess,
    folder: Path,
    *,
    name: str,
) -> Card:
    """Write the checkpoint into `folder`, which exists. Raises DoesNotFit, BadPreprocess."""
    seen = reached_layers(found.guess, preprocess)
    state = state_dict(found, tensors)
    first = f"{seen[0].name}.weight"
    if state[first].dtype == torch.bfloat16:
        state[first] = state[first].float()  # exactly the same; the server reads these without torch
    kinds = {value.dtype for value in state.values() if value.is_floating_point()}
    settings = {"architecture": found.guess.architecture, "encoder": dict(found.guess.arguments)}
    about = {"tessera": json.dumps(settings | {"preprocess": asdict(preprocess)}, sort_keys=True)}
    sha256 = write_weights(folder, {f"encoder.{key}": value.contiguous() for key, value in state.items()}, about=about)
    card = Card(
        name=name,
        architecture=found.guess.architecture,
        encoder=dict(found.guess.arguments),
        head=None,
        task=None,
        recipe=None,
        config={},
        layers=seen,
        preprocess=preprocess,
        weights_sha256=sha256,
        dtype=PRECISIONS[kinds.pop()] if len(kinds) == 1 else "mixed",
        provenance={**source.provenance(), "loaded": found.sentence, "assumed": list(found.guess.assumed) or None},
        title=found.guess.title,
    )
    write_json(folder / REPORT, found.as_json())
    write_card(folder, card)
    return card


def reached_layers(guess: Guess, preprocess: Preprocess) -> tuple[LayerCard, ...]:
    """The layers that images prepared in that way reach. Raises BadPreprocess."""
    if guess.filters_only:
        arguments = guess.arguments
        layer = LayerCard(arguments["name"], arguments["units"], "conv", arguments["name"], value="filters alone")
        return (layer,)
    side = check(preprocess)
    channels = CHANNELS[preprocess.colour]
    try:
        return layers(build(guess), side=side, channels=channels)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0][:200]
        raise BadPreprocess(
            f"{guess.title} does not take images of {channels} x {side} x {side} ({preprocess.colour}): {reason}"
        ) from error


def check(preprocess: Preprocess) -> int:
    """The side of the network's input. Raises BadPreprocess where a number is out of range or a channel has none."""
    side, channels = preprocess.trunk_size, CHANNELS.get(preprocess.colour)
    if channels is None:
        raise BadPreprocess(f"colour must be one of {', '.join(CHANNELS)}, got {preprocess.colour!r}")
    if side is None or not SMALLEST <= side <= LARGEST:
        raise BadPreprocess(f"the input must have {SMALLEST} to {LARGEST} pixels a side, got {side}")
    if preprocess.resize is not None and not side <= preprocess.resize <= 4 * LARGEST:
        raise BadPreprocess(f"images must be resized to at least the {side} px that the network sees")
    numbers = (*preprocess.mean, *preprocess.std, preprocess.scale)
    if not all(math.isfinite(value) for value in numbers) or min(preprocess.std, default=0.0) <= 0:
        raise BadPreprocess("means must be numbers, and deviations numbers above 0")
    if preprocess.normalise == "mean_std" and {len(preprocess.mean), len(preprocess.std)} != {channels}:
        raise BadPreprocess(f"{preprocess.colour} has {channels} channels: as many means and deviations are needed")
    return side


def _require_finite(candidate: WeightsCandidate, accepted: bool) -> None:
    bad = {name: info.bad for name, info in candidate.tensors.items() if info.finite is False}
    if bad and not accepted:
        named = ", ".join(f"{name} ({count})" for name, count in list(bad.items())[:NAMED])
        more = f" and {len(bad) - NAMED} more tensors" if len(bad) > NAMED else ""
        raise NonFiniteWeights(f"Weights that are NaN or infinite: {named}{more}.", bad)
