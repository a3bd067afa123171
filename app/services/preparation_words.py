"""How images are prepared, in a line of words."""

from models.card import Preprocess

COLOURS = {"rgb": "RGB", "bgr": "BGR", "gray": "gray", "lab": "Lab", "l": "lightness"}


def words_of(how: Preprocess) -> str:
    """`32 px, BGR 0 to 255, less 104, 117, 123`."""
    size = f"{how.trunk_size or how.size} px"
    size += f" of {how.resize}" if how.resize not in (None, how.trunk_size) else ""
    colours = COLOURS[how.colour] + (f" 0 to {how.scale:g}" if how.scale != 1.0 else "")
    if how.normalise != "mean_std":
        return f"{size}, {colours}, each image by its own mean and deviation"
    parts = [size, colours]
    if any(how.mean):
        parts.append("less " + ", ".join(f"{value:.3g}" for value in how.mean))
    if any(value != 1.0 for value in how.std):
        parts.append("over " + ", ".join(f"{value:.3g}" for value in how.std))
    return ", ".join(parts)
