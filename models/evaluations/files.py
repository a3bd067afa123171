"""The file that an evaluation writes: one JSON file a gallery, in the folder of its checkpoint. Free of torch."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from models.atomic import write_json

FOLDER: Final = "evaluations"
FORMAT: Final = 1


@dataclass(frozen=True)
class Evaluation:
    """The measures of one checkpoint on one gallery, in columns as on a card (`network`, `random_init` ...).

    `weights_sha256` and `gallery_fingerprint` identify both exactly. `part` names the images that were used and `rows`
    their number; `too_small` and `seen` are how many were left out because they are too small or were trained on.
    """

    checkpoint: str
    gallery: str
    weights_sha256: str
    gallery_fingerprint: str
    part: str
    rows: int
    too_small: int
    seen: int
    seed: int
    measures: Mapping[str, Any] = field(default_factory=dict)
    finished: str = ""


def place(folder: Path, gallery: str) -> Path:
    """The path of the evaluation on a gallery in a checkpoint's folder."""
    return folder / FOLDER / f"{gallery}.json"


def write(path: Path, evaluation: Evaluation) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"format": FORMAT, **asdict(evaluation)})


def read(path: Path) -> Evaluation | None:
    """The evaluation in a file; None where it is damaged or of another format."""
    try:
        raw = json.loads(path.read_text())
        return Evaluation(**raw) if raw.pop("format") == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_all(folder: Path) -> Iterator[Evaluation]:
    """Those of a checkpoint's folder, by gallery."""
    for path in sorted((folder / FOLDER).glob("*.json")):
        if (found := read(path)) is not None:
            yield found
