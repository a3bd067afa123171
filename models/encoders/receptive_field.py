"""The pixels that a cell of a convolutional map sees: stride, receptive field and offset of each layer, in closed form.

A cell c (row or column) of a layer has its centre at `offset + c * stride` and sees `receptive_field` pixels around it.
Coordinates are continuous: pixel i covers [i, i + 1); an 11-pixel window that starts at pixel 0 has its centre at 5.5.
Networks are chains of modules in the order in which they are registered. Of a residual block the longest path counts;
that its shortcut sees no more pixels around the same centre is checked. After global pooling, attention or a gate over
the whole map there is no closed form: every cell sees everything.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, floor

from torch import nn
from torchvision.models.convnext import CNBlock, LayerNorm2d
from torchvision.models.regnet import ResBottleneckBlock
from torchvision.models.shufflenetv2 import InvertedResidual as ShuffleBlock
from torchvision.ops import StochasticDepth

_POINTWISE = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Hardswish,
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    nn.BatchNorm2d,
    nn.LocalResponseNorm,
    LayerNorm2d,
    StochasticDepth,
)
_WINDOWED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
_SHORTCUTS = {"downsample", "shortcut"}  # what residual blocks call the way around their convolutions
_CONTAINERS = (nn.Sequential, nn.ModuleList)


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


Step = tuple[str, "Window | UnknownGeometry | None"]
"""A module by name and its window; None where it works point by point."""


@dataclass(frozen=True)
class ReceptiveField:
    """Geometry of one layer's map, in input pixels."""

    stride: int = 1
    receptive_field: int = 1
    offset: float = 0.5

    def through(self, window: Window) -> "ReceptiveField":
        """The field after a window. Rounding up (ceil mode) adds cells at the far end and moves none."""
        return ReceptiveField(
            stride=self.stride * window.stride,
            receptive_field=self.receptive_field + (window.kernel - 1) * self.stride,
            offset=self.offset + ((window.kernel - 1) / 2 - window.padding) * self.stride,
        )


def fields(encoder: nn.Module, module_names: Iterable[str]) -> dict[str, ReceptiveField]:
    """The field of the output of each named module.

    Raises UnknownGeometry at a module that is neither pointwise nor a square window, KeyError at an unknown name.
    """
    found, field = dict[str, ReceptiveField](), ReceptiveField()
    for name, step in _steps_until(encoder, wanted := list(module_names)):
        if isinstance(step, UnknownGeometry):
            raise step
        field = field.through(step) if step else field
        found[name] = field
    return {name: found[name] for name in wanted}


def known_fields(encoder: nn.Module, module_names: Iterable[str]) -> dict[str, tuple[ReceptiveField, bool]]:
    """The fields of those named modules, and whether they are exact.

    After the first module that looks at everything (a gate, attention, a norm over the map) they are not: stride and
    offset still say where a cell lies, and it sees the whole input.
    """
    found, field, exact = dict[str, tuple[ReceptiveField, bool]](), ReceptiveField(), True
    wanted = set(module_names)
    for name, step in _steps("", encoder):
        exact = exact and not isinstance(step, UnknownGeometry)
        field = field.through(step) if isinstance(step, Window) else field
        if name in wanted:
            found[name] = (field, exact)
    return found


def is_chain(encoder: nn.Module) -> bool:
    """Whether the modules of the network just follow each other, without blocks of their own."""
    return all(
        name == "" or isinstance(module, _CONTAINERS)
        for name, module in encoder.named_modules()
        if list(module.children())
    )


def reach(encoder: nn.Module, module_names: Iterable[str], side: int) -> dict[str, int]:
    """One past the last pixel that any cell of each named module sees in an input of that side; 0: it has no cell.

    A window that does not fit leaves the last pixels unseen, and later padding does not bring them back: the pixels
    that a cell sees end at its field's edge or here, whichever comes first.
    """
    found: dict[str, int] = {}
    windows: list[tuple[Window, int]] = []  # with the side that each runs over
    for name, step in _steps_until(encoder, wanted := list(module_names)):
        if isinstance(step, UnknownGeometry):
            raise step
        if step:
            windows.append((step, side))
            side = step.cells(side) if side else 0
        found[name] = _end_of_last_cell(windows, side)
    return {name: found[name] for name in wanted}


def _end_of_last_cell(windows: list[tuple[Window, int]], cells: int) -> int:
    end = cells
    for window, side in reversed(windows):
        end = min(side, (end - 1) * window.stride - window.padding + window.kernel) if end else 0
    return end


def _steps_until(encoder: nn.Module, wanted: list[str]) -> Iterator[Step]:
    """The steps up to the last wanted name. Raises KeyError where there is no such module."""
    missing = set(wanted)
    for step in _steps("", encoder) if missing else []:
        yield step
        missing.discard(step[0])
        if not missing:
            return
    if missing:
        raise KeyError(f"no such module: {', '.join(sorted(missing))}")


def _steps(name: str, module: nn.Module) -> list[Step]:
    """The modules that an image passes inside a module: its leaves in order and, after them, the module itself."""
    if isinstance(module, CNBlock):  # the rest of it works point by point
        return [(name, Window(7, 1, 3, ceil_mode=False))]
    children = [(f"{name}.{short}" if name else short, short, child) for short, child in module.named_children()]
    if not children:
        return [(name, _window(name, module))]
    around = _SHORTCUTS | ({"proj"} if isinstance(module, ResBottleneckBlock) else set())
    around |= {"branch1"} if isinstance(module, ShuffleBlock) else set()
    main = [step for full, short, child in children if short not in around for step in _steps(full, child)]
    if not isinstance(module, _CONTAINERS) and type(module).__name__.startswith("Inception"):
        main.append((name, UnknownGeometry(f"{name} has branches of several sizes")))
    for full, short, child in children:
        if short in around and not _within(_steps(full, child), main):
            main.append((full, UnknownGeometry(f"{full} sees other pixels than the block that it goes around")))
    return [*main, (name, None)]


def _within(side: list[Step], main: list[Step]) -> bool:
    """Whether one path ends in cells with the same centres as the other, which see no more."""
    ends = []
    for steps in (side, main):
        field = ReceptiveField()
        for _, step in steps:
            if isinstance(step, UnknownGeometry):
                return step in [known for _, known in main]  # then the main path has none either
            field = field.through(step) if step else field
        ends.append(field)
    around, through = ends
    same = around.stride == through.stride and around.offset == through.offset
    return same and around.receptive_field <= through.receptive_field


def _window(name: str, module: nn.Module) -> "Window | UnknownGeometry | None":
    if isinstance(module, _POINTWISE) or (isinstance(module, _CONTAINERS) and not len(module)):
        return None
    if isinstance(window := getattr(module, "window", None), Window):  # modules of ours say so
        return window
    if not isinstance(module, _WINDOWED):
        return UnknownGeometry(f"{name} ({type(module).__name__}) has no receptive field in closed form")
    padding = module.padding
    if isinstance(padding, str):
        return UnknownGeometry(f"{name}: padding {padding!r} is not supported, give it in pixels")
    dilated = 1 if isinstance(module, nn.AvgPool2d) else module.dilation
    try:
        kernel, stride, before, dilation = (
            _side(name, value) for value in (module.kernel_size, module.stride, padding, dilated)
        )
    except UnknownGeometry as error:
        return error
    ceil_mode = not isinstance(module, nn.Conv2d) and module.ceil_mode
    return Window(dilation * (kernel - 1) + 1, stride, before, ceil_mode)


def _side(name: str, value: int | tuple[int, ...]) -> int:
    sides = {value} if isinstance(value, int) else set(value)
    if len(sides) != 1:
        raise UnknownGeometry(f"{name}: only square windows are supported, got {value}")
    return int(sides.pop())
