"""What the filters of a first layer look like, in numbers and as a picture.

A filter is (channels, h, w); a layer is (units, channels, h, w). Every channel is centred on its own mean before the
three smoothness measures, so a filter that is one flat colour counts as perfectly smooth.

For 11x11x3 white noise: TV ratio sqrt(2) = 1.41, lag-1 autocorrelation about -1/121, low-frequency share 20/120
(20 of the 120 frequencies other than zero lie within .25 cycles a pixel). Other sizes have other values, so the
comparison is always with noise of the same shape.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.card import Colour

Filters = NDArray[np.float32]
Values = NDArray[np.float64]
MeasureName = Literal[
    "norm", "colourfulness", "orientation", "orientation_energy", "tv_ratio", "autocorrelation", "low_frequency_share"
]
MEASURES: tuple[MeasureName, ...] = (
    "norm",
    "colourfulness",
    "orientation",
    "orientation_energy",
    "tv_ratio",
    "autocorrelation",
    "low_frequency_share",
)
LOW_FREQUENCY = 0.25  # cycles a pixel
# A trained layer is expected to pass all three; white noise of 11x11x3 passes none.
LEAST_SIDE = 5  # pixels: in smaller filters smoothness means nothing
SMOOTH_TV_RATIO = 1.1
SMOOTH_AUTOCORRELATION = 0.3
SMOOTH_LOW_FREQUENCY_SHARE = 0.35
NOISE_SAMPLES = 512


@dataclass(frozen=True)
class FilterMeasures:
    """One value a filter, in filter order.

    norm: L2 over all weights.  colourfulness: share of the energy that is not the mean of the channels, 0 gray .. 1; of
    filters over Lab the share that lies in a and b.
    orientation: direction of the bars or edges in degrees, 0 = horizontal, counter-clockwise, [0, 180).
    orientation_energy: how much of the gradient energy lies along one direction, 0 none .. 1 all.
    tv_ratio, autocorrelation, low_frequency_share: smoothness (low ratio, high others = smooth).
    """

    norm: Values
    colourfulness: Values
    orientation: Values
    orientation_energy: Values
    tv_ratio: Values
    autocorrelation: Values
    low_frequency_share: Values

    def named(self, name: MeasureName) -> Values:
        values: Values = getattr(self, name)
        return values

    def lists(self) -> dict[str, list[float]]:
        """Every measure as a plain list, rounded to the precision of a float32 weight."""
        return {name: [float(f"{value:.6g}") for value in self.named(name)] for name in MEASURES}

    def medians(self) -> dict[str, float]:
        """The median filter of every measure but the direction, which has no middle."""
        return {name: float(f"{np.median(self.named(name)):.6g}") for name in MEASURES if name != "orientation"}


def measure(filters: Filters, colour: Colour = "rgb") -> FilterMeasures:
    """All measures of a layer (units, channels, h, w) whose channels are those of `colour`."""
    if filters.ndim != 4 or 0 in filters.shape:
        raise ValueError(f"expected filters of shape (units, channels, height, width), got {filters.shape}")
    weights = filters.astype(np.float64)
    centred = weights - weights.mean(axis=(2, 3), keepdims=True)  # (U, C, h, w), each channel on its own mean
    orientation, energy = orientations(weights)
    return FilterMeasures(
        norm=np.sqrt(np.square(weights).sum(axis=(1, 2, 3))),
        colourfulness=colourfulness_of_lab(weights) if colour == "lab" else colourfulness(weights),
        orientation=orientation,
        orientation_energy=energy,
        tv_ratio=tv_ratio(centred),
        autocorrelation=autocorrelation(centred),
        low_frequency_share=low_frequency_share(centred),
    )


def colourfulness(weights: Values) -> Values:
    """sum (w - mean over channels)^2 / sum w^2: 0 for a gray filter, 2/3 for white noise of three channels."""
    chroma = weights - weights.mean(axis=1, keepdims=True)
    return _ratio(np.square(chroma).sum(axis=(1, 2, 3)), np.square(weights).sum(axis=(1, 2, 3)), empty=0.0)


def colourfulness_of_lab(weights: Values) -> Values:
    """Share of the energy over a and b: 0 for filters over lightness alone, 1 for those over colours alone."""
    energy = np.square(weights).sum(axis=(2, 3))
    return _ratio(energy[:, 1:].sum(axis=1), energy.sum(axis=1), empty=0.0)


def orientations(weights: Values) -> tuple[Values, Values]:
    """Direction (degrees) and strength from the structure tensor J = sum of g g^T over pixels and channels.

    The gradient g is taken on 2x2 blocks, so that both components sit at the same point. With a = Jxx - Jyy and
    b = 2 Jxy the strength is sqrt(a^2 + b^2) / (Jxx + Jyy) and the gradient points along atan2(b, a) / 2; bars and
    edges run at right angles to it. Image rows grow downwards, hence the minus.
    """
    a, b, c, d = weights[..., :-1, :-1], weights[..., :-1, 1:], weights[..., 1:, :-1], weights[..., 1:, 1:]
    across, down = (b + d - a - c) / 2, (c + d - a - b) / 2
    xx, yy = np.square(across).sum(axis=(1, 2, 3)), np.square(down).sum(axis=(1, 2, 3))
    xy = (across * down).sum(axis=(1, 2, 3))
    strength = _ratio(np.hypot(xx - yy, 2 * xy), xx + yy, empty=0.0)
    gradient = np.degrees(np.arctan2(-2 * xy, xx - yy)) / 2
    return (gradient + 90.0) % 180.0, strength


def tv_ratio(centred: Values) -> Values:
    """mean |difference of neighbours| / mean |w - mean|: sqrt(2) for white noise, 0 for a flat filter."""
    differences = [np.abs(np.diff(centred, axis=axis)).reshape(len(centred), -1) for axis in (2, 3)]
    return _ratio(np.concatenate(differences, axis=1).mean(axis=1), np.abs(centred).mean(axis=(1, 2, 3)), empty=0.0)


def autocorrelation(centred: Values) -> Values:
    """Correlation of direct neighbours, both directions together: 1 flat, about 0 white noise."""
    products = [
        (centred[:, :, 1:] * centred[:, :, :-1]).reshape(len(centred), -1),
        (centred[:, :, :, 1:] * centred[:, :, :, :-1]).reshape(len(centred), -1),
    ]
    return _ratio(np.concatenate(products, axis=1).mean(axis=1), np.square(centred).mean(axis=(1, 2, 3)), empty=1.0)


def low_frequency_share(centred: Values) -> Values:
    """Share of the power, without the constant term, at a radius of at most .25 cycles a pixel."""
    height, width = centred.shape[2:]
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    power = np.square(np.abs(np.fft.fft2(centred))).sum(axis=1)  # (U, C, h, w) -> (U, h, w)
    power[:, 0, 0] = 0.0
    low = power[:, radius <= LOW_FREQUENCY].sum(axis=1)
    return _ratio(low, power.sum(axis=(1, 2)), empty=1.0)


def _ratio(top: Values, bottom: Values, *, empty: float) -> Values:
    """top / bottom, and `empty` where the bottom is nothing but rounding."""
    usable = bottom > 1e-24
    return np.where(usable, top / np.where(usable, bottom, 1.0), empty)


def noise_medians(shape: tuple[int, ...], *, seed: int = 0, colour: Colour = "rgb") -> dict[str, float]:
    """The medians of white noise filters of the same (channels, h, w)."""
    rng = np.random.default_rng(seed)
    return measure(rng.standard_normal((NOISE_SAMPLES, *shape[1:]), dtype=np.float32), colour).medians()


def median_tv_ratio(filters: Filters) -> float:
    """The total-variation ratio of the median filter of a layer (units, channels, h, w)."""
    return measure(filters).medians()["tv_ratio"]


@dataclass(frozen=True)
class Smoothness:
    """Whether a layer's filters are smoother than noise, and the sentence about it; small filters leave it open."""

    telling: bool
    smoother: bool
    smooth_filters: int
    filters: int
    median: float
    noise: float

    @property
    def sentence(self) -> str:
        if not self.telling:
            return "Filters of so few pixels do not tell whether they are smoother than noise."
        verdict = (
            "These filters are smoother than noise"
            if self.smoother
            else "These filters are not clearly smoother than noise"
        )
        return (
            f"{verdict}: their median total-variation ratio is {self.median:.2f}, that of white noise of the same size "
            f"is {self.noise:.2f}; {self.smooth_filters} of {self.filters} filters are below {SMOOTH_TV_RATIO}."
        )


def smoothness(measures: FilterMeasures, noise: dict[str, float], *, side: int) -> Smoothness:
    """Whether the median filter passes all three thresholds of a trained layer; `side` is in pixels."""
    medians = measures.medians()
    return Smoothness(
        telling=side >= LEAST_SIDE,
        smoother=medians["tv_ratio"] < SMOOTH_TV_RATIO
        and medians["autocorrelation"] > SMOOTH_AUTOCORRELATION
        and medians["low_frequency_share"] > SMOOTH_LOW_FREQUENCY_SHARE,
        smooth_filters=int((measures.tv_ratio < SMOOTH_TV_RATIO).sum()),
        filters=len(measures.tv_ratio),
        median=medians["tv_ratio"],
        noise=noise["tv_ratio"],
    )


def relative_change(now: Filters, start: Filters) -> Values:
    """|w - w0| / |w0| of each filter: 0 where nothing changed, about sqrt(2) for another draw of the same noise."""
    moved, before = (np.asarray(weights, dtype=np.float64) for weights in (now - start, start))
    return _ratio(*(np.sqrt(np.square(part).sum(axis=(1, 2, 3))) for part in (moved, before)), empty=0.0)


def order(measures: FilterMeasures, by: MeasureName | Literal["filter"]) -> list[int]:
    """Filter numbers from the most to the least of a measure (smoothest first for the TV ratio); ties by number."""
    if by == "filter":
        return list(range(len(measures.norm)))
    values = measures.named(by)
    ascending = by in ("tv_ratio", "orientation")
    return [int(number) for number in np.argsort(values if ascending else -values, kind="stable")]
