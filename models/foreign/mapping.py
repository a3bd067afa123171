"""Put a file's tensors into the encoder that they are guessed to be, strictly, and account for every tensor.

A tensor of the file has a place in the encoder, or belongs to a head that is named, or is unexpected. A tensor of the
encoder comes from the file, or is missing. Only batch norm's counters, which mean nothing after training, are filled
in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor, nn

from models.encoders import ENCODERS
from models.foreign.names import COUNTERS, heads_beside
from models.foreign.report import Doubt, Guess, LoadReport, Reshaped, Shape, WrongShape
from models.foreign.weights import FLOATS, TensorInfo, UnreadableWeights, WeightsCandidate

NAMED = 5  # tensors that an error message names
ABSURD = 1e4  # a weight beyond it was never trained
VARIANCES = ("running_var", "running_mean", COUNTERS)  # may be large, constant, or of their start


class DoesNotFit(ValueError):
    """Tensors are missing, left over or of another shape; `detail` names all of them."""

    code = "does_not_fit"

    def __init__(self, message: str, detail: Mapping[str, list[str]]) -> None:
        super().__init__(message)
        self.detail = dict(detail)


@dataclass(frozen=True)
class _Places:
    """Shapes of the encoder's tensors by its own names, and which of them hold floating-point numbers."""

    shapes: Mapping[str, Shape]
    floating: frozenset[str]

    @classmethod
    def of(cls, guess: Guess) -> "_Places":
        state = build(guess).state_dict()
        floating = frozenset(name for name, value in state.items() if value.is_floating_point())
        return cls({name: tuple(value.shape) for name, value in state.items()}, floating)


def build(guess: Guess, *, device: str = "meta") -> nn.Module:
    """The guessed encoder, untrained. Raises ValueError where the arguments are impossible."""
    make = ENCODERS[guess.architecture]
    try:
        with torch.device(device):
            return make(**guess.arguments)
    except NotImplementedError:  # some of torchvision compute with tensors while they build
        return make(**guess.arguments)


def report(candidate: WeightsCandidate, guess: Guess, others: tuple[Guess, ...] = ()) -> LoadReport:
    """What would become of each tensor, decided from names and shapes; no weights are read."""
    known = _Places.of(guess)
    places, tensors = known.shapes, candidate.tensors
    headed = {name for head in guess.heads if not head.kept for name in head.tensors}
    matched, reshaped, wrong, unexpected = [], [], [], []
    for name, info in tensors.items():
        key = guess.keys.get(name)
        if key is None or key not in places:
            if name not in headed and not guess.filters_only:
                unexpected.append(name)
            continue
        if key in known.floating and info.dtype not in FLOATS:
            wrong.append(WrongShape(name, info.shape, places[key], info.dtype))
        elif info.shape == places[key]:
            matched.append(name)
        elif _same_values(info.shape, places[key]):
            matched.append(name)
            reshaped.append(Reshaped(name, info.shape, places[key]))
        else:
            wrong.append(WrongShape(name, info.shape, places[key]))
    given = {guess.keys[name] for name in tensors if name in guess.keys}
    absent = [key for key in places if key not in given]
    return LoadReport(
        guess=guess,
        needed=sum(key in given or not key.endswith(COUNTERS) for key in places),
        matched=tuple(matched),
        missing=tuple(key for key in absent if not key.endswith(COUNTERS)),
        unexpected=tuple(unexpected),
        reshaped=tuple(reshaped),
        wrong=tuple(wrong),
        filled=tuple(key for key in absent if key.endswith(COUNTERS)),
        doubts=doubts({name: tensors[name] for name in matched}),
        beside=heads_beside(candidate),
        stripped=tuple(part for part in (candidate.prefix, *candidate.inner) if part),
        others=others,
    )


def best(candidate: WeightsCandidate, guesses: tuple[Guess, ...]) -> LoadReport | None:
    """The report of the first guess that fits; else of the one with the fewest tensors out of place. None: no guess.

    The other guesses that fit as well come with it.
    """
    reports = [found for guess in guesses if (found := _tried(candidate, guess)) is not None]
    if not reports:
        return None
    known = [found for found in reports if not found.guess.filters_only]
    fitting = [found for found in known if found.fits]
    nearest = min(known or reports, key=lambda found: _out_of_place(found))
    chosen = fitting[0] if fitting else nearest if _near(nearest) else reports[-1]
    return replace(chosen, others=tuple(found.guess for found in reports if found is not chosen))


def _tried(candidate: WeightsCandidate, guess: Guess) -> LoadReport | None:
    """The report, or None where no network can be built with the guessed arguments (or its package is not there)."""
    try:
        return report(candidate, guess)
    except (ArithmeticError, RuntimeError, TypeError, ValueError):
        return None


def _out_of_place(found: LoadReport) -> int:
    return len(found.missing) + len(found.unexpected) + len(found.wrong)


def _near(found: LoadReport) -> bool:
    """Whether most of the encoder was found, so that listing the differences is useful."""
    return found.guess.filters_only or 2 * len(found.matched) >= found.needed


def _same_values(shape: Shape, wanted: Shape) -> bool:
    """Whether one shape is the other with axes of length one added, or a flattened convolution."""
    slim, wanted_slim = (tuple(side for side in it if side != 1) for it in (shape, wanted))
    if slim == wanted_slim:
        return True
    return len(wanted) == 2 and len(shape) == 4 and prod(shape) == prod(wanted) and shape[0] == wanted[0]


def doubts(tensors: Mapping[str, TensorInfo]) -> tuple[Doubt, ...]:
    """Tensors whose values no training gives."""
    found = []
    for name, info in tensors.items():
        if info.finite is False:
            found.append(Doubt(name, "not finite", f"{info.bad} of {info.size} values are NaN or infinite"))
        elif name.endswith(VARIANCES) or info.dtype not in FLOATS:
            continue
        elif info.constant and len(info.shape) > 1 and info.size > 1 and not name.startswith("sobel."):
            found.append(Doubt(name, "constant", f"all {info.size} values are {info.low:g}"))
        elif (size := max(abs(info.low or 0.0), abs(info.high or 0.0))) > ABSURD:
            found.append(Doubt(name, "absurd", f"values reach {size:.3g}"))
    return tuple(found)


def require_fit(found: LoadReport) -> None:
    """Raises DoesNotFit, which names the first five tensors of each kind and how many there are.

    Raises UnreadableWeights where weights are no floating-point numbers.
    """
    if found.fits:
        return
    if other := next((item for item in found.wrong if item.kind), None):
        raise UnreadableWeights("unsupported_dtype", f"{other.sentence}.")
    parts = [
        _listed("missing", found.missing),
        _listed("unexpected", found.unexpected),
        "; ".join(item.sentence for item in found.wrong[:NAMED]) + _rest(len(found.wrong)),
    ]
    raise DoesNotFit(
        f"This file is not {found.guess.title}: " + "; ".join(part for part in parts if part) + ".",
        {
            "missing": list(found.missing),
            "unexpected": list(found.unexpected),
            "wrong_shape": [item.sentence for item in found.wrong],
        },
    )


def _listed(word: str, names: tuple[str, ...]) -> str:
    return f"{len(names)} {word} ({', '.join(names[:NAMED])}{_rest(len(names))})" if names else ""


def _rest(count: int) -> str:
    return f" and {count - NAMED} more" if count > NAMED else ""


def state_dict(found: LoadReport, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's tensors out of the file's, each in its own precision. Raises DoesNotFit."""
    require_fit(found)
    places = _Places.of(found.guess).shapes
    state = {found.guess.keys[name]: tensors[name].reshape(places[found.guess.keys[name]]) for name in found.matched}
    return state | {name: torch.zeros(places[name], dtype=torch.int64) for name in found.filled}
