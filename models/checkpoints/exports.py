"""The forms in which other programs can read a checkpoint: safetensors, a state dict of PyTorch, ONNX.

The tensors of the encoder are under the encoder's own names, which for torchvision's networks are torchvision's; those
of a counting head are under `head.`. The ONNX file holds the encoder alone, from normalised input to its output, and is
offered only after its answers were compared with those of the original.
"""

import json
import struct
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from models.atomic import write_json
from models.card import CHANNELS, WEIGHTS, Card, file_sha256, read_card

Format = Literal["pth", "onnx", "rescaled"]
FORMATS: Final[tuple[Format, ...]] = ("pth", "onnx", "rescaled")
ENDINGS: Final[dict[Format, str]] = {"pth": "pth", "onnx": "onnx", "rescaled": "rescaled.pth"}
FOLDER = "exports"
TOLERANCE = 1e-4
CHUNK = 1 << 20


@dataclass(frozen=True)
class Export:
    """A file made from a checkpoint's weights; `difference` is how far its answers are from the original's at most.

    `rescaling` gives, for rescaled weights, the standard deviation of log10(gradient / weight) over layers, before and
    after, and each layer's factor.
    """

    format: Format
    file: str
    sha256: str
    bytes: int
    weights_sha256: str
    difference: float
    images: int
    made: str
    rescaling: dict[str, Any] | None = None


def path_of(folder: Path, format: Format) -> Path:
    """Where an export of the checkpoint in `folder` is described."""
    return folder / FOLDER / f"{format}.json"


def read_export(folder: Path, format: Format, sha256: str) -> Export | None:
    """The export of exactly these weights, where it was made and still exists."""
    try:
        found = Export(**json.loads(path_of(folder, format).read_text("utf-8")))
    except (OSError, TypeError, ValueError):
        return None
    file = folder / FOLDER / found.file
    whole = file.is_file() and file.stat().st_size == found.bytes
    return found if found.weights_sha256 == sha256 and whole else None


def write_export(
    folder: Path, file: Path, format: Format, difference: float, images: int, rescaling: dict[str, Any] | None = None
) -> Export:
    """Describe a file that lies in the checkpoint's folder of exports."""
    made = Export(
        format=format,
        file=file.name,
        sha256=file_sha256(file),
        bytes=file.stat().st_size,
        weights_sha256=read_card(folder).weights_sha256,
        difference=difference,
        images=images,
        made=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        rescaling=rescaling,
    )
    write_json(path_of(folder, format), asdict(made))
    return made


def card_json(card: Card) -> dict[str, Any]:
    """The card as it goes with exported weights: how to build the network and how to show it images."""
    return {
        "name": card.name,
        "architecture": card.called,
        "encoder": {"builder": card.architecture, **card.encoder},
        "head": None if card.head is None else dict(card.head),
        "task": card.task,
        "preprocess": asdict(card.preprocess),
        "input": [CHANNELS[card.preprocess.colour], *(2 * [card.preprocess.trunk_size or card.preprocess.size])],
        "layers": [asdict(layer) for layer in card.layers],
        "weights_sha256": card.weights_sha256,
        "provenance": dict(card.provenance),
    }


def safetensors_size(folder: Path) -> int:
    """The bytes that `safetensors_bytes` gives."""
    start, begins = _plain_header(folder)
    return len(start) + (folder / WEIGHTS).stat().st_size - begins


def safetensors_bytes(folder: Path) -> Iterator[bytes]:
    """The weights as a safetensors file under plain names, with the card in its header, in pieces."""
    start, begins = _plain_header(folder)
    yield start
    with (folder / WEIGHTS).open("rb") as stream:
        stream.seek(begins)
        while block := stream.read(CHUNK):
            yield block


def _plain_header(folder: Path) -> tuple[bytes, int]:
    """The header of the exported file, and where the values begin in ours: they are the same bytes."""
    with (folder / WEIGHTS).open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header: dict[str, Any] = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    about = {"format": "pt", "card": json.dumps(card_json(read_card(folder)))}
    plain = {"__metadata__": about, **{name.removeprefix("encoder."): value for name, value in header.items()}}
    text = json.dumps(plain).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, 8 + length
