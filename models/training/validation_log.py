"""What a training saw when it looked at held-out images: measures, and one fixed image's views. Free of torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from models.atomic import write_json

FILE, PICTURES = "looks.json", "views"
VIEWS = ("whole", "tile-1", "tile-2", "tile-3", "tile-4")  # D(x), then the tiles row by row
MEASURES = (  # of counting; any other measure is named held_out_... too
    "held_out_loss",
    "held_out_pull",
    "held_out_push",
    "additivity_ratio",
    "r2_adding",
    "r2_averaging",
    "firing_units",
    "conv1_tv_ratio",
)


@dataclass(frozen=True)
class Look:
    """The network after `step` steps: measures by name; of counting the totals |phi|_1 of the fixed image's VIEWS."""

    step: int
    measures: Mapping[str, float]
    totals: tuple[float, ...] = ()

    @property
    def whole(self) -> float:
        return self.totals[0]

    @property
    def tiles(self) -> float:
        """The sum of the four tiles."""
        return sum(self.totals[1:])

    @property
    def ratio(self) -> float | None:
        """Whole over tiles: 1 where the counts add up; None where nothing is counted."""
        return self.whole / self.tiles if self.tiles > 0 else None


@dataclass(frozen=True)
class Looks:
    """All looks of a run; `row` of the gallery is the image whose views are shown, out of `images` held out.

    `question` and `captions` are those of its puzzle, whose pictures are `view-1` on; counting has VIEWS instead.
    `chance` is what guessing gives of the measures.
    """

    row: int
    images: int
    looks: tuple[Look, ...] = ()
    question: str = ""
    captions: tuple[str, ...] = ()
    chance: Mapping[str, float] = field(default_factory=dict)

    @property
    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Every measure over the steps."""
        others = {name for look in self.looks for name in look.measures} - set(MEASURES)
        return {
            name: [(look.step, look.measures[name]) for look in self.looks if name in look.measures]
            for name in (*MEASURES, *sorted(others))
        }

    @property
    def pictures(self) -> tuple[str, ...]:
        """The names of the pictures of the fixed image's views."""
        return tuple(f"view-{n}" for n in range(1, len(self.captions) + 1)) if self.captions else VIEWS


def read_looks(folder: Path) -> Looks | None:
    """The looks that a run keeps in its state; None before its first."""
    try:
        raw = json.loads((folder / FILE).read_text())
        looks = tuple(Look(look["step"], look["measures"], tuple(look["totals"])) for look in raw["looks"])
        told = raw.get("question", ""), tuple(raw.get("captions", ())), raw.get("chance", {})
        return Looks(raw["row"], raw["images"], looks, *told)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_looks(folder: Path, looks: Looks) -> None:
    write_json(folder / FILE, asdict(looks))


def picture_path(folder: Path, view: str) -> Path:
    """Where the picture of one of a run's views is."""
    return folder / PICTURES / f"{view}.png"
