"""How a checkpoint's units changed while it was trained: their best images at each kept step. Free of torch.

A checkpoint's folder holds them as timelines/<gallery>.npz.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.atomic import write_bytes

FOLDER: Final = "timelines"
TOP: Final = 6


@dataclass(frozen=True)
class Timeline:
    """By layer the best rows and their values at each step, (S, U, TOP), largest first, out of `images` of a gallery.

    `steps` end with the last step of the training, the checkpoint itself. `knn` is 20-NN accuracy by layer, one cell a
    step, empty where there are no labels; `chance` is the share of the commonest class.
    """

    steps: tuple[int, ...]
    images: int
    weights_sha256: str
    gallery_fingerprint: str
    rows: Mapping[str, NDArray[np.int32]]
    values: Mapping[str, NDArray[np.float32]]
    knn: Mapping[str, list[dict[str, Any]]]
    chance: float | None = None


def place(folder: Path, gallery: str) -> Path:
    """The path of the timeline on a gallery in a checkpoint's folder."""
    return folder / FOLDER / f"{gallery}.npz"


def write(path: Path, timeline: Timeline) -> None:
    """Write the timeline, wholly or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "steps": timeline.steps,
        "images": timeline.images,
        "weights_sha256": timeline.weights_sha256,
        "gallery_fingerprint": timeline.gallery_fingerprint,
        "knn": timeline.knn,
        "chance": timeline.chance,
    }
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {f"rows/{name}": part for name, part in timeline.rows.items()}
    arrays |= {f"values/{name}": part for name, part in timeline.values.items()}
    np.savez_compressed(buffer, about=np.array(json.dumps(about)), allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def read(path: Path) -> Timeline | None:
    """The timeline in a file; None where there is none, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            found: dict[str, dict[str, Any]] = {"rows": {}, "values": {}}
            for name in arrays.files:
                part, _, layer = name.partition("/")
                if part in found:
                    found[part][layer] = arrays[name]
        return Timeline(**{**about, "steps": tuple(about["steps"])}, rows=found["rows"], values=found["values"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile):
        return None
