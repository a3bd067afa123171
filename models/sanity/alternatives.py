"""The plausible other ways in which a network's images may have been prepared. Free of torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from models.card import CHANNELS, Colour, Preprocess, preprocess_of

MOST: Final = 9
SMALL: Final = 64  # inputs up to so many pixels may have been twice as large, others half
STEP: Final = 32  # what inputs of networks for photos are multiples of


@dataclass(frozen=True)
class Alternative:
    """A preparation with a short name and why it is tried."""

    name: str
    reason: str
    preprocess: Preprocess


def alternatives(own: Preprocess, offered: Sequence[Mapping[str, Any]] = ()) -> tuple[Alternative, ...]:
    """The checkpoint's own first, then those that its report offered, then what is confused most often.

    `offered` are {"name", "reason", "preprocess"}; those for other channels are left out, and so are doubles.
    """
    found = [Alternative("as registered", "what the checkpoint says", own)]
    for one in (*_offered(offered), *_confused(own)):
        same_channels = CHANNELS[one.preprocess.colour] == CHANNELS[own.colour]
        if same_channels and all(one.preprocess != known.preprocess for known in found):
            found.append(one)
    return tuple(found[:MOST])


def _offered(offered: Sequence[Mapping[str, Any]]) -> Iterator[Alternative]:
    for one in offered:
        yield Alternative(one["name"], one["reason"], preprocess_of(one["preprocess"]))


def _confused(own: Preprocess) -> Iterator[Alternative]:
    """Order of channels, range, size."""
    if own.colour in ("rgb", "bgr"):
        other: Colour = "bgr" if own.colour == "rgb" else "rgb"
        turned = replace(own, colour=other, mean=own.mean[::-1], std=own.std[::-1])
        yield Alternative(f"as registered, {other.upper()}", "OpenCV and Caffe read BGR, most others RGB", turned)
    if own.normalise == "mean_std" and own.scale == 1.0 and own.colour in ("rgb", "bgr"):
        large = replace(own, scale=255.0, mean=tuple(255 * value for value in own.mean), std=(1.0,) * len(own.std))
        yield Alternative("0 to 255, mean subtracted", "networks that were never given pixels of 0 to 1", large)
    if own.scale == 255.0:
        bare = replace(own, scale=1.0, mean=(0.0,) * len(own.mean), std=(1.0,) * len(own.std))
        yield Alternative("0 to 1", "pixels as PyTorch's ToTensor gives them", bare)
    if own.trunk_size is not None:
        side = 2 * own.trunk_size if own.trunk_size <= SMALL else max(STEP, own.trunk_size // 2 // STEP * STEP)
        yield Alternative(f"as registered, {side} px", "another size of the input", _sized(own, side))


def _sized(own: Preprocess, side: int) -> Preprocess:
    assert own.trunk_size is not None
    resize = None if own.resize is None else round(own.resize * side / own.trunk_size)
    return replace(own, crop=side, region=resize or side, size=side, trunk_size=side, resize=resize)
