"""Guess the architecture from a file's tensors: the likeliest first, by names and shapes alone. Free of torch."""

from collections.abc import Iterator, Mapping

from models.card import FILTERS_ONLY
from models.foreign.families import FAMILIES, Family
from models.foreign.names import Names
from models.foreign.preparations import photos
from models.foreign.report import Guess
from models.foreign.weights import WeightsCandidate

FEWEST_FILTERS, WIDEST = 4, 32


def recognise(candidate: WeightsCandidate, metadata: Mapping[str, object] | None = None) -> tuple[Guess, ...]:
    """The guesses, likeliest first; the last is always the first layer's filters alone, where there are any.

    Nothing is loaded: whether a guess fits is told by `models.foreign.mapping`.
    """
    names = Names.of(candidate, metadata)
    found = [guess for family in FAMILIES for guess in _guesses(family, names)]
    return (*sorted(found, key=lambda guess: -guess.score), *filters_alone(names))


def _guesses(family: Family, names: Names) -> list[Guess]:
    try:
        return list(family.guess(names))
    except (IndexError, TypeError, ValueError, ZeroDivisionError):
        return []  # shapes that contradict the names: not this family


def filters_alone(names: Names) -> Iterator[Guess]:
    """The first convolution as a guess of its own, for networks that nobody knows."""
    for name, shape in names.shapes.items():
        if not name.endswith("weight") or len(shape) != 4:
            continue
        units, channels, height, width = shape
        if channels <= 4 and units >= FEWEST_FILTERS and min(height, width) >= 2 and max(height, width) <= WIDEST:
            layer = name.removesuffix(".weight")
            yield Guess(
                architecture=FILTERS_ONLY,
                arguments={"name": layer, "units": units, "channels": channels, "height": height, "width": width},
                title=f"the {units} filters of {layer} alone",
                score=0.1,
                reason=f"{name} is the first convolution, {units}x{channels}x{height}x{width}",
                keys={name: name},
                heads=(),
                preprocess=photos()[:1],
            )
            return
