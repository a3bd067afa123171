"""What a network answers about one stored image: embedding, counting equation, heat map, magnitude against crop size.

The image's pixels are prepared exactly as a scan prepares them, so that an image of a gallery finds itself at distance
0.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from models.answers import CountAnswer, CurvePoint, EmbedAnswer, Floats, HeatMap, Inputs
from models.card import LayerCard
from models.counting.equation import count_views, views
from models.crops import count_view, trunk_square
from models.galleries.loading import decode
from models.geometry import Box, clip_box, count_crop, nested_square
from models.network import Network
from models.recipes.counting import KERNELS
from models.resampling import SMALLEST_STD
from models.scans.reductions import HALF_MAX, reduce_map


class BadQuestion(ValueError):
    """A question that does not fit the network or the image; `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@torch.inference_mode()
def embed(network: Network, jpeg: bytes, layer: str, box: Box | None = None) -> EmbedAnswer:
    """The layer's mean over space after its ReLU, (D,) float32; of a box, the central square of the box."""
    card = _layer(network, layer)
    image = decode(jpeg)
    if card.on_trunk:
        values, seen, enlarged = _trunk(network, image, card, box)
        # (1, C, h, w) or (1, C) -> (C,)
        pooled = reduce_map(values).pooled[0] if card.kind == "conv" else values[0]  # rounded as a scan rounds it
        return EmbedAnswer(_as_scanned(pooled, card), seen, enlarged)
    crop, seen, enlarged = count_view(image, network.card.preprocess, _checked(image, box))
    with network.hooks([layer]) as found:
        network.run_counts(views(network, crop[None])[:, 0])  # (1, 5, 3, s, s) -> D(x) alone
    return EmbedAnswer(_as_scanned(found[layer][0], card), seen, enlarged)


@torch.inference_mode()
def count(network: Network, jpeg: bytes, kernel: str = "area", box: Box | None = None) -> CountAnswer:
    """phi(Dx) and phi(T_j x) of the checkpoint's crop, or of the central square of a box."""
    _require_counts(network, kernel)
    image = decode(jpeg)
    crop, seen, enlarged = count_view(image, network.card.preprocess, _checked(image, box))
    shown = views(network, crop[None], kernel)
    equation = count_views(network, shown)
    return CountAnswer(equation.whole[0].numpy(), equation.tiles[0].numpy(), seen, enlarged, _inputs(crop, shown[0]))


@torch.inference_mode()
def heatmap(network: Network, jpeg: bytes, layer: str, unit: int) -> HeatMap:
    """One unit's map after its ReLU over what the conv trunk sees; a vector layer gives a map of one cell."""
    card = _layer(network, layer)
    if not 0 <= unit < card.units:
        raise BadQuestion("unknown_unit", f"{layer} has units 0 to {card.units - 1}")
    if card.kind != "conv":
        answer = embed(network, jpeg, layer)
        return HeatMap(answer.vector[unit].reshape(1, 1), answer.crop)
    values, seen, _ = _trunk(network, decode(jpeg), card, None)
    return HeatMap(values[0, unit].float().cpu().numpy(), seen)


@torch.inference_mode()
def magnitude_curve(
    network: Network, jpeg: bytes, areas: Sequence[float], kernel: str = "area"
) -> tuple[CurvePoint, ...]:
    """phi's L1 and L2 norm over nested squares about the image's centre that cover these shares of its central square.

    The paper (section 4.2, figures 5 and 6) uses random crops; crops about one centre contain each other.
    """
    _require_counts(network, kernel)
    if not areas or not all(0 < area <= 1 for area in areas):
        raise BadQuestion("bad_area", "each area must be a share above 0 and at most 1")
    image = decode(jpeg)
    boxes = [nested_square(image.shape[2], image.shape[1], area) for area in areas]
    crops = torch.stack([count_view(image, network.card.preprocess, box)[0] for box in boxes])
    counts = network.run_counts(views(network, crops, kernel)[:, 0]).float().cpu()  # (A, K)
    totals, norms = counts.sum(dim=1).tolist(), counts.norm(dim=1).tolist()
    return tuple(CurvePoint(*point) for point in zip(areas, totals, norms, boxes, strict=True))


def _inputs(crop: Tensor, shown: Tensor) -> Inputs:
    """The views (5, 3, s, s) of a crop (3, 2s, 2s) uint8, back on the crop's own scale."""
    pixels = crop.float() / 255
    mean, contrast = float(pixels.mean()), float(pixels.std(unbiased=False))
    divisor = max(contrast, SMALLEST_STD)
    back = (shown.cpu() * divisor + mean).clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1)  # (5, s, s, 3)
    return Inputs(back.contiguous().numpy(), mean, contrast, divisor)


def _as_scanned(pooled: Tensor, layer: LayerCard) -> Floats:
    """Rounded as a scan stores it: float16, count vectors float32."""
    kept = pooled.float() if layer.kind == "counts" else pooled.float().clamp(-HALF_MAX, HALF_MAX).half()
    return np.asarray(kept.float().cpu().numpy())


def _layer(network: Network, name: str) -> LayerCard:
    if network.card.filters_only:
        raise BadQuestion("filters_only", f"Only the filters of {network.card.name} are known: it cannot see images")
    try:
        return network.card.layer(name)
    except KeyError as error:
        raise BadQuestion("unknown_layer", str(error.args[0])) from error


def _require_counts(network: Network, kernel: str) -> None:
    if not network.card.has_counts:
        raise BadQuestion("no_counts", f"{network.card.name} has no counting head")
    if kernel not in KERNELS:
        raise BadQuestion("unknown_kernel", f"kernel must be one of {', '.join(KERNELS)}, got {kernel!r}")


def _checked(image: Tensor, box: Box | None) -> Box | None:
    """The part of a box that lies on the image (3, H, W)."""
    if box is None:
        return None
    try:
        return clip_box(box, image.shape[2], image.shape[1])
    except ValueError as error:
        raise BadQuestion("bad_box", str(error)) from error


def _trunk(network: Network, image: Tensor, layer: LayerCard, box: Box | None) -> tuple[Tensor, Box, bool]:
    """A layer's values (1, C, h, w) or (1, C), the box of the image they cover, and whether it was enlarged."""
    how = network.card.preprocess
    left, top = 0, 0
    if (drawn := _checked(image, box)) is not None:
        x0, y0, x1, y1 = count_crop(image.shape[2], image.shape[1], crop=how.crop, region=how.region, box=drawn)
        left, top = int(x0), int(y0)
        image = image[:, top : int(y1), left : int(x1)]
    square, (x0, y0, x1, y1), enlarged = trunk_square(image, how, whole=drawn is not None)
    with network.hooks([layer.name]) as found:
        network.run_trunk(network.trunk_input(square[None]))
    return found[layer.name], (x0 + left, y0 + top, x1 + left, y1 + top), enlarged
