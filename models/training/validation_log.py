"""What a training found on held-out images at each validation: measures, and one fixed image's views. Free of torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from models.atomic import write_json

FILE, PICTURES = "looks.json", "views"


@dataclass(frozen=True)
class ValidationPoint:
    """The network after `step` steps: measures by name.

    `totals` are the sums of what it counts in each view of the fixed image; empty where it counts nothing.
    """

    step: int
    measures: Mapping[str, float]
    totals: tuple[float, ...] = ()


@dataclass(frozen=True)
class ValidationLog:
    """All points of a run; `row` of the gallery is the image whose views are shown, out of `images` held out.

    `question` and `captions` are those of its puzzle; without captions the views have names that the task gave them.
    `chance` is what guessing gives of the measures.
    """

    row: int
    images: int
    points: tuple[ValidationPoint, ...] = ()
    question: str = ""
    captions: tuple[str, ...] = ()
    chance: Mapping[str, float] = field(default_factory=dict)

    def curve(self, name: str) -> list[tuple[int, float]]:
        """One measure over the steps."""
        return [(point.step, point.measures[name]) for point in self.points if name in point.measures]

    def curves(self, first: Sequence[str]) -> dict[str, list[tuple[int, float]]]:
        """Every measure over the steps: those named `first`, also where they are empty, then the others by name."""
        others = {name for point in self.points for name in point.measures} - set(first)
        return {name: self.curve(name) for name in (*first, *sorted(others))}

    @property
    def pictures(self) -> tuple[str, ...]:
        """The names of the pictures of the puzzle's views."""
        return tuple(f"view-{n}" for n in range(1, len(self.captions) + 1))


def read_validation_log(folder: Path) -> ValidationLog | None:
    """The log that a run keeps in its state; None before its first validation."""
    try:
        raw = json.loads((folder / FILE).read_text())
        points = tuple(ValidationPoint(item["step"], item["measures"], tuple(item["totals"])) for item in raw["looks"])
        puzzle = raw.get("question", ""), tuple(raw.get("captions", ())), raw.get("chance", {})
        return ValidationLog(raw["row"], raw["images"], points, *puzzle)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_validation_log(folder: Path, log: ValidationLog) -> None:
    """Keep the log, wholly or not at all."""
    names = {"points": "looks"}  # the file's own word
    write_json(folder / FILE, {names.get(name, name): value for name, value in asdict(log).items()})


def picture_path(folder: Path, view: str) -> Path:
    """Where the picture of one of a run's views is."""
    return folder / PICTURES / f"{view}.png"
