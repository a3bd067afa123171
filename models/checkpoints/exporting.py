"""Write a checkpoint for PyTorch or as ONNX, and compare its answers with the original's before it is offered."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from models.card import CHANNELS, WEIGHTS, Card
from models.checkpoints import storage as checkpoints
from models.checkpoints.exports import ENDINGS, FOLDER, TOLERANCE, Export, Format, card_json, write_export
from models.checkpoints.rescaling import CannotRescale, photos, rescale
from models.network import Network

IMAGES = 4
SIDE = 160  # of photos shown to a network that takes any size, pixels
OPSET = 18
MISSING = "writing ONNX needs more packages: uv pip install -e '.[onnx]', then start Tessera again"


class CannotExport(ValueError):
    """The checkpoint cannot be written in that form; the message says why and what to do."""

    code = "cannot_export"


class OnnxMissing(CannotExport):
    """The optional packages for ONNX are not installed."""

    code = "onnx_missing"


def export(folder: Path, format: Format, *, tick: Callable[[str], None] = lambda _: None) -> Export:
    """Write the checkpoint in `folder` into its folder of exports. Raises CannotExport where the answers differ."""
    network = checkpoints.load(folder)
    if network.card.filters_only and format != "pth":
        raise CannotExport(f"Only the filters of this checkpoint are known: there is no network to write as {format}.")
    (folder / FOLDER).mkdir(exist_ok=True)
    final = folder / FOLDER / f"{folder.name}.{ENDINGS[format]}"
    images, rescaled = IMAGES, None
    with tempfile.TemporaryDirectory(dir=folder / FOLDER, prefix=".", suffix=".tmp") as temporary:
        made = Path(temporary) / final.name
        if format == "rescaled":
            difference, images, rescaled = write_rescaled(network, made, tick)
        else:
            difference = (write_state_dict if format == "pth" else write_onnx)(network, folder, made, tick)
        with made.open("rb") as stream:
            os.fsync(stream.fileno())
        made.replace(final)
    return write_export(folder, final, format, difference, images, rescaled)


def write_state_dict(network: Network, folder: Path, file: Path, tick: Callable[[str], None]) -> float:
    """Write a flat dict of tensors under plain names, in the precision in which they are kept.

    Returns 0, because every value is equal to the original's.
    """
    tensors = load_file(folder / WEIGHTS)
    plain = {name.removeprefix("encoder."): value for name, value in tensors.items()}
    tick("writing the state dict")
    torch.save(plain, file)
    tick("reading it back")
    again = torch.load(file, weights_only=True, map_location="cpu")
    encoder, _ = checkpoints.build_empty(network.card)
    own = {name: value for name, value in again.items() if not name.startswith("head.")}
    encoder.load_state_dict(own, strict=True, assign=True)
    if any(not torch.equal(value, plain[name]) for name, value in again.items() if value.isfinite().all()):
        raise CannotExport("The state dict that was written does not hold the same values.")
    return 0.0


def write_rescaled(network: Network, file: Path, tick: Callable[[str], None]) -> tuple[float, int, dict[str, Any]]:
    """Write a state dict whose layers would all change at one rate when trained on the photos of the sample gallery.

    Returns the largest difference of its answers, relative to the largest answer, over these photos; and what was done.
    """
    encoder = network.encoder
    tick("rescaling")
    try:
        shown = network.trunk_input(photos(network.card.preprocess.trunk_size or SIDE))
        with torch.no_grad():
            expected = encoder(shown)
        done = rescale(encoder, shown)
    except CannotRescale as error:
        raise CannotExport(f"{error} So there is nothing to rescale.") from error
    tick("comparing its answers")
    with torch.no_grad():
        worst = float((encoder(shown) - expected).abs().max() / expected.abs().max())
    if not worst < TOLERANCE:
        raise CannotExport(f"The rescaled network answers differently, by up to {worst:.3g}; it was thrown away.")
    head = {} if network.head is None else {f"head.{name}": value for name, value in network.head.state_dict().items()}
    torch.save({**encoder.state_dict(), **head}, file)
    before, after = done.spreads
    told = {"before": before, "after": after, "rounds": done.rounds, "factors": dict(done.factors)}
    return worst, len(shown), told


def write_onnx(network: Network, folder: Path, file: Path, tick: Callable[[str], None]) -> float:  # noqa: ARG001
    """The encoder for batches of any size; returns the largest difference of its answers from the original's."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 - torch's exporter asks for it
    except ImportError as error:
        raise OnnxMissing(MISSING) from error
    shown = example(network.card)
    encoder = network.encoder.to(memory_format=torch.contiguous_format)
    tick("writing ONNX")
    torch.onnx.export(
        encoder,
        (shown,),
        str(file),
        input_names=["pixels"],
        output_names=["features"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    model = onnx.load(str(file))
    entry = model.metadata_props.add()
    entry.key, entry.value = "tessera", json.dumps(card_json(network.card))
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    tick("comparing its answers")
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return compared(encoder, shown, lambda pixels: session.run(["features"], {"pixels": pixels})[0])


def example(card: Card) -> Tensor:
    """Random input of the size that the checkpoint's images have, (B, C, S, S)."""
    side = card.preprocess.trunk_size or card.preprocess.size
    shape = (IMAGES, CHANNELS[card.preprocess.colour], side, side)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def compared(encoder: nn.Module, shown: Tensor, answer: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> float:
    """The largest difference between both answers, for the batch and for its first image alone. Raises CannotExport."""
    worst = 0.0
    for pixels in (shown, shown[:1]):
        with torch.inference_mode():
            expected = encoder(pixels).float().numpy()
        worst = max(worst, float(np.abs(np.asarray(answer(pixels.numpy())) - expected).max()))
    if not worst < TOLERANCE:
        raise CannotExport(f"The ONNX file answers differently, by up to {worst:.3g}; it was thrown away.")
    return worst
