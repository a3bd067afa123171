"""Small snapshots of an encoder while it trains, at log-spaced steps, to show how it develops. Free of torch.

A checkpoint's folder holds them as snapshots/step-00000100.safetensors, weights in half precision; the last state of a
run is the checkpoint itself.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from models.atomic import write_bytes
from models.card import Floats, read_card

FOLDER = "snapshots"
MOST = 10
NAME = re.compile(r"step-(\d{8})\.safetensors")
Values = NDArray[np.float16] | NDArray[np.float32] | NDArray[np.int64]


def steps_to_keep(total: int, most: int = MOST) -> tuple[int, ...]:
    """Step 0 and at most `most` - 1 others before the last, evenly spaced in their logarithm."""
    spaced = np.geomspace(1, total, most) if total > 1 else np.empty(0)
    return tuple(sorted({0, *(step for value in spaced if (step := round(value)) < total)}))


def path(folder: Path, step: int) -> Path:
    """Where a run or a checkpoint keeps the snapshot of a step."""
    return folder / FOLDER / f"step-{step:08d}.safetensors"


def write(folder: Path, step: int, tensors: Mapping[str, Values]) -> None:
    """Keep an encoder's values by name, wholly or not at all."""
    (folder / FOLDER).mkdir(exist_ok=True)
    write_bytes(path(folder, step), save(dict(tensors)))


def kept(folder: Path) -> tuple[int, ...]:
    """The steps of which there are snapshots, ascending; none for checkpoints that came without."""
    found = (NAME.fullmatch(item.name) for item in (folder / FOLDER).glob("step-*.safetensors"))
    return tuple(sorted(int(match[1]) for match in found if match))


def first_layer_filters(folder: Path, step: int) -> Floats:
    """conv1's weights (units, channels, h, w) at a step. Raises OSError where there is no such snapshot."""
    name = f"{read_card(folder).first_layer.name}.weight"
    with safe_open(path(folder, step), framework="np") as tensors:
        return np.asarray(tensors.get_tensor(name), dtype=np.float32)
