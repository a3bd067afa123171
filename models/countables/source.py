"""Generated scenes as images to import: a list of seeds, of which each is drawn when it is loaded."""

import json
from collections.abc import Iterator
from typing import Any, Final, Literal

import numpy as np

from models.countables.grounds import BY_NAME
from models.countables.scenes import Drawn, finish, mixed
from models.countables.sweeps import cells, plan_of
from models.countables.truth import count, whole
from models.countables.values import Split
from models.galleries.sources import Item, LoadedImage, Skipped

Splits = Literal["train", "test", "both"]

# Every list of scenes has seeds of its own: what a network is trained on never meets what it is tested on.
STREAMS: Final[dict[str, int]] = {"both": 0, "train": 1, "test": 2, "sweeps": 3}


def scene_seed(stream: str, seed: int, number: int) -> int:
    """The seed of one scene; below 2^53, so that any reader of JSON keeps it exactly."""
    return (STREAMS[stream] << 40) | (seed << 20) | number


class CountablesSource:
    """Mixed scenes of one split, or of both in turn, and the matched sweeps if they are wanted."""

    def __init__(self, seed: int, scenes: int, splits: Splits, *, sweeps: bool) -> None:
        self.seed = seed
        self.scenes = scenes
        self.splits = splits
        self._cells = tuple(cells()) if sweeps else ()

    def items(self) -> Iterator[Item | Skipped]:
        """The mixed scenes, then the sweeps; nothing is drawn yet."""
        for number in range(self.scenes):
            split: Split = self.splits if self.splits != "both" else ("train", "test")[number % 2]
            seed = scene_seed(self.splits, self.seed, number)
            yield Item(path=f"mixed/{number:06d}.png", file=f"mixed:{seed}:{split}", split=split)
        for number, cell in enumerate(self._cells):
            kept: Split = BY_NAME[cell.level].split if isinstance(cell.level, str) else "test"
            # Scenes of one seed differ in one factor only: they are near copies, and count as one source.
            yield Item(
                path=f"sweeps/{number:03d}-{cell.sweep}.png",
                file=f"sweep:{number}",
                split=kept,
                source=f"{cell.sweep}-{cell.repeat}",
            )

    def load(self, item: Item) -> LoadedImage:
        """The scene as a PPM file, with the record of the objects in it."""
        how, *rest = item.file.split(":")
        if how == "sweep":
            return loaded(finish(plan_of(self._cells[int(rest[0])], self._swept)))
        return loaded(finish(mixed(int(rest[0]), "test" if rest[1] == "test" else "train")))

    def _swept(self, number: int) -> int:
        return scene_seed("sweeps", self.seed, number)


def loaded(drawn: Drawn) -> LoadedImage:
    """A drawn scene in the form that an import takes: the pixels, and label, counts, scene and truth."""
    height, width = drawn.image.shape[:2]
    pixels = b"P6 %d %d 255\n" % (width, height) + np.ascontiguousarray(drawn.image).tobytes()
    present = count(drawn.truth, whole(drawn.truth)).present
    return LoadedImage(
        pixels, label=_label(drawn.scene), counts=present, scene=_json(drawn.scene), truth=_json(drawn.truth)
    )


def _label(scene: dict[str, Any]) -> str:
    kinds = list(scene["kinds"])
    return "empty" if not kinds else kinds[0] if len(kinds) == 1 else "several kinds"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
