"""From pixels to the input that a network was trained on: colour space, range, mean and deviation.

Lab is CIE 1976 L*a*b* under D65, from sRGB (IEC 61966-2-1), as the colour networks of Zhang, Isola, Efros (ECCV 2016,
CVPR 2017) take it.
"""

from torch import Tensor

from models.card import Colour, Preprocess
from models.resampling import standardise

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's and OpenCV's gray
XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.95047, 1.0, 1.08883)
FROM_ROOTS = ((0.0, 116.0, 0.0), (500.0, -500.0, 0.0), (0.0, 200.0, -200.0))  # L + 16, a and b of CIE 1976


def normalise(pixels: Tensor, how: Preprocess) -> Tensor:
    """Pixels (B, 3, h, w) in 0..1 -> what the checkpoint was trained on, (B, channels, h, w)."""
    pixels = in_colour(pixels, how.colour)
    if how.scale != 1.0:
        pixels = pixels * how.scale
    if how.normalise == "mean_std":
        # Whole rows of channels-last pixels at once: a broadcast over three channels takes three times as long.
        rows = pixels.permute(0, 2, 3, 1)  # (B, C, h, w) -> (B, h, w, C)
        mean, std = (pixels.new_tensor(values).repeat(pixels.shape[3]) for values in (how.mean, how.std))
        scaled: Tensor = (rows.flatten(2) - mean) / std
        return scaled.view(rows.shape).permute(0, 3, 1, 2)
    return standardise(pixels)


def in_colour(pixels: Tensor, colour: Colour) -> Tensor:
    """RGB (B, 3, h, w) in 0..1 in another colour space: (B, 3, h, w), (B, 1, h, w) for `gray` and `l`."""
    if colour == "bgr":
        return pixels.flip(1)
    if colour == "gray":
        return (pixels * pixels.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    if colour in ("lab", "l"):
        found = lab(pixels)
        return found[:, :1] if colour == "l" else found
    return pixels


def lab(pixels: Tensor) -> Tensor:
    """sRGB (B, 3, h, w) in 0..1 -> L 0..100, a and b about -100..100; not to be differentiated."""
    to_white = pixels.new_tensor(XYZ) / pixels.new_tensor(WHITE)[:, None]
    found = _curve(pixels, 0.04045, slope=1 / 12.92, power=2.4, gain=(0.055, 1 / 1.055))  # linear light
    found = _curve(_mixed(found, to_white), 0.008856, slope=7.787, power=1 / 3)
    found = _mixed(found, pixels.new_tensor(FROM_ROOTS))
    found[:, 0] -= 16
    return found


def _mixed(channels: Tensor, weights: Tensor) -> Tensor:
    """Other channels as weighted sums of these: (B, C, h, w), (K, C) -> (B, K, h, w)."""
    mixed: Tensor = weights @ channels.flatten(2)
    return mixed.view(len(channels), len(weights), *channels.shape[2:])


def _curve(
    values: Tensor, edge: float, *, slope: float, power: float, gain: tuple[float, float] | None = None
) -> Tensor:
    """v ^ power, or with a gain (o, f) ((v + o) f) ^ power; below `edge` the line that goes on from there.

    Sums of what is clamped, a logarithm and an exponential, in place, take a third of the time of `where` and `pow`.
    """
    curved = values.clamp_min(edge)
    if gain is not None:
        curved.add_(gain[0]).mul_(gain[1])
    curved.log_().mul_(power).exp_()
    return curved.add_(values.clamp_max(edge).sub_(edge), alpha=slope)
