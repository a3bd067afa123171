"""Turn network inputs back into pictures that people can look at."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from models.puzzles import PuzzlePicture


def picture(
    caption: str, pixels: Tensor, mean: Sequence[float] = (0.0,), std: Sequence[float] = (1.0,)
) -> PuzzlePicture:
    """A normalised input (3, h, w), brought back to 0..1 by what it was normalised with."""
    colours = pixels.detach().float().cpu()
    back = colours * colours.new_tensor(std).view(-1, 1, 1) + colours.new_tensor(mean).view(-1, 1, 1)
    shown = back.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous()  # (3, h, w) -> (h, w, 3)
    return PuzzlePicture(caption, np.asarray(shown.numpy()))


def stretched(captions: Sequence[str], pixels: Tensor) -> tuple[PuzzlePicture, ...]:
    """Inputs (n, 3, h, w) whose normalisation is not known, brought to one range from black to white."""
    colours = pixels.detach().float()
    low, high = colours.amin(), colours.amax()
    scaled = (colours - low) / (high - low).clamp_min(1e-6)
    return tuple(picture(caption, view) for caption, view in zip(captions, scaled, strict=True))
