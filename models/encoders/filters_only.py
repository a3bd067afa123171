"""The encoder of files of which nothing but the filters of the first layer is known."""

from torch import Tensor, nn


class FiltersOnly(nn.Module):
    """A single convolution under its name in the file, which holds its weights and cannot be applied to images."""

    def __init__(self, *, name: str, units: int, channels: int, height: int, width: int) -> None:
        super().__init__()
        *above, last = name.split(".")
        parent: nn.Module = self
        for part in above:
            parent.add_module(part, nn.Module())
            parent = parent.get_submodule(part)
        parent.add_module(last, nn.Conv2d(channels, units, (height, width), bias=False))

    def forward(self, input: Tensor) -> Tensor:  # noqa: ARG002 - it is refused
        """Raises ValueError: nothing is known of what came after these filters, nor how they were applied."""
        raise ValueError("only the filters of this network are known; it cannot look at images")
