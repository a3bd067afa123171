"""Describes in words how images are prepared for a checkpoint: as a list of facts, or in one line."""

from models.card import Card, Preprocess

NORMALISED = {
    "per_crop": "by mean and deviation of the crop",
    "per_input": "by mean and deviation of each input",
}
COLOURS = {
    "rgb": "RGB",
    "bgr": "BGR",
    "gray": "one gray channel",
    "lab": "Lab",
    "l": "lightness of Lab alone",
}


def facts(card: Card) -> list[tuple[str, str]]:
    """(name, text) pairs: which part of an image the network is shown, and how pixels become numbers."""
    how = card.preprocess
    if card.filters_only:
        return [("Images", "cannot be shown: only the filters of the first layer are known")]
    shown = [("Network sees", seen(how))]
    if card.head is not None:
        shown = [
            ("Central region", f"{how.region} px"),
            ("Crop", f"{how.crop} px"),
            ("Network input", f"{how.size} px"),
            ("Convolutions see", seen(how)),
        ]
    shown.append(("Normalised", NORMALISED.get(how.normalise) or f"less {_list(how.mean)}, over {_list(how.std)}"))
    if (how.colour, how.scale) != ("rgb", 1.0):
        shown.insert(-1, ("Colours", COLOURS[how.colour] + (f", 0 to {how.scale:g}" if how.scale != 1.0 else "")))
    return shown


def words_of(how: Preprocess) -> str:
    """The preprocessing in one line, such as `32 px, BGR 0 to 255, less 104, 117, 123`."""
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


def seen(how: Preprocess) -> str:
    """Words for the part of an image that the convolutions see."""
    size = how.trunk_size
    if size is None:
        return "the native central square"
    if how.resize is None:
        return f"the middle {size} px, at native size"
    if how.resize == size:
        return f"the central square, brought to {size} px"
    return f"the middle {size} px of the central square brought to {how.resize} px"


def _list(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
