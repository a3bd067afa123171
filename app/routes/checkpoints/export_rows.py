"""The formats in which a checkpoint can be downloaded, as its page lists them."""

from collections.abc import Iterable

from app.routes.checkpoints.card_context import ExportRow
from app.services.checkpoints.exports import Offer
from app.services.checkpoints.service import CheckpointRecord
from app.settings import Settings
from app.web.formats import file_size
from models.checkpoints.exports import Export

WORDS = {
    "pth": "a state dict for PyTorch",
    "onnx": "the encoder as ONNX",
    "rescaled": "rescaled for fine-tuning",
}


def export_rows(record: CheckpointRecord, offered: Iterable[Offer], settings: Settings) -> list[ExportRow]:
    """The formats that are always there, then those that a job has to write first."""
    here = settings.url(f"/api/checkpoints/{record.slug}/export?format=")
    return [
        ExportRow("safetensors", "plain names, the card in its header", f"{here}safetensors", ""),
        ExportRow("card", "JSON: how to build it, how to show it images", f"{here}card", ""),
        *(_row(offer, here) for offer in offered),
    ]


def _row(offer: Offer, here: str) -> ExportRow:
    name, what = f".{offer.ending}", WORDS[offer.format]
    if offer.made is None:
        return ExportRow(name, f"{what}, written by a job", "", offer.format)
    size = f"{what}, {file_size(offer.made.bytes)}"
    return ExportRow(name, f"{size}{_difference(offer, offer.made)}", f"{here}{offer.format}", offer.format)


def _difference(offer: Offer, made: Export) -> str:
    """How the file differs from the checkpoint, in words; empty if it does not."""
    if offer.format == "onnx":
        return f"; its answers differ by at most {made.difference:.1g}"
    if made.rescaling:
        spread = f"{10 ** made.rescaling['before']:.2g}"
        return f"; its layers change at one rate (before: a spread of {spread} times). Mark results as rescaled, †"
    return ""
