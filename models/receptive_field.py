"""Which pixels a cell of a convolutional map sees: stride, receptive field and offset, layer by layer, in closed form.

A cell c (row or column) of a layer has its centre at `offset + c * stride` and sees `receptive_field` pixels around it.
Coordinates are continuous: pixel i covers [i, i + 1); an 11-pixel window that starts at pixel 0 has its centre at 5.5.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, floor

from torch import nn

_POINTWISE = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.GELU,
    nn.SiLU,
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    nn.BatchNorm2d,
    nn.LocalResponseNorm,
)
_WINDOWED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


class UnknownGeometry(ValueError):
    """A module whose receptive field has no closed form here; the message names it."""


@dataclass(frozen=True)
class Window:
    """One sliding window, per side: a convolution or a pooling."""

    kernel: int
    stride: int
    padding: int
    ceil_mode: bool

    def cells(self, side: int) -> int:
        """How many cells a side of that length gives; a window may not begin in the far padding."""
        rounding = ceil if self.ceil_mode else floor
        cells = rounding((side + 2 * self.padding - self.kernel) / self.stride) + 1
        if self.ceil_mode and (cells - 1) * self.stride >= side + self.padding:
            cells -= 1
        return max(0, cells)


@dataclass(frozen=True)
class Field:
    """Geometry of one layer's map, in input pixels."""

    stride: int = 1
    receptive_field: int = 1
    offset: float = 0.5

    def through(self, window: Window) -> "Field":
        """The field after a window. Rounding up (ceil mode) adds cells at the far end and moves none."""
        return Field(
            stride=self.stride * window.stride,
            receptive_field=self.receptive_field + (window.kernel - 1) * self.stride,
            offset=self.offset + ((window.kernel - 1) / 2 - window.padding) * self.stride,
        )


def fields(encoder: nn.Module, module_names: Iterable[str]) -> dict[str, Field]:
    """The field of the output of each named module of a chain, whose leaves run in the order they are registered.

    Raises UnknownGeometry at a module that is neither pointwise nor a square window, KeyError at an unknown name.
    """
    found: dict[str, Field] = {}
    field = Field()
    for name, window in _windows(encoder, wanted := list(module_names)):
        field = field.through(window) if window else field
        found[name] = field
    return {name: found[name] for name in wanted}


def reach(encoder: nn.Module, module_names: Iterable[str], side: int) -> dict[str, int]:
    """One past the last pixel that any cell of each named module sees in an input of that side; 0: it has no cell.

    A window that does not fit leaves the last pixels unseen, and later padding does not bring them back: the pixels
    that a cell sees end at its field's edge or here, whichever comes first.
    """
    found: dict[str, int] = {}
    windows: list[tuple[Window, int]] = []  # with the side that each runs over
    for name, window in _windows(encoder, wanted := list(module_names)):
        if window:
            windows.append((window, side))
            side = window.cells(side) if side else 0
        found[name] = _end_of_last_cell(windows, side)
    return {name: found[name] for name in wanted}


def smallest_side(encoder: nn.Module, module_names: Iterable[str]) -> int:
    """The smallest input for which every named module keeps at least one cell."""
    names = list(module_names)
    side = 1
    while not all(reach(encoder, names, side).values()):
        side += 1
    return side


def _end_of_last_cell(windows: list[tuple[Window, int]], cells: int) -> int:
    end = cells
    for window, side in reversed(windows):
        end = min(side, (end - 1) * window.stride - window.padding + window.kernel) if end else 0
    return end


def _windows(encoder: nn.Module, wanted: list[str]) -> Iterator[tuple[str, Window | None]]:
    """Each leaf up to the last wanted one with its window; None where it works point by point."""
    missing = set(wanted)
    for name, module in encoder.named_modules():
        if not missing:
            return
        if not list(module.children()):
            yield name, _window(name, module)
            missing.discard(name)
    if missing:
        raise KeyError(f"no such module: {', '.join(sorted(missing))}")


def _window(name: str, module: nn.Module) -> Window | None:
    if isinstance(module, _POINTWISE):
        return None
    if not isinstance(module, _WINDOWED):
        raise UnknownGeometry(f"{name} ({type(module).__name__}) has no receptive field in closed form")
    padding = module.padding
    if isinstance(padding, str):
        raise UnknownGeometry(f"{name}: padding {padding!r} is not supported, give it in pixels")
    kernel, stride, before = (_side(name, value) for value in (module.kernel_size, module.stride, padding))
    dilation = 1 if isinstance(module, nn.AvgPool2d) else _side(name, module.dilation)
    ceil_mode = not isinstance(module, nn.Conv2d) and module.ceil_mode
    return Window(dilation * (kernel - 1) + 1, stride, before, ceil_mode)


def _side(name: str, value: int | tuple[int, ...]) -> int:
    sides = {value} if isinstance(value, int) else set(value)
    if len(sides) != 1:
        raise UnknownGeometry(f"{name}: only square windows are supported, got {value}")
    return int(sides.pop())
