"""The charts of the counting bench: adds or averages, strangers of similar size, the crop curve."""

from markupsafe import Markup

from app.services.counting.service import Counted
from app.web.charts import Dot, histogram, line_chart, scatter_chart
from models.answers import CurvePoint
from models.card import Reference

BINS = 24
NAMED = 5  # units whose number stands beside their point
RAYS = {"y = x, adds": 1.0, "y = x / 4, averages": 0.25}


def units_scatter(counted: Counted, unit_href: str | None) -> Markup:
    """Each unit that counts: the whole against the sum of its tiles."""
    answer = counted.answer
    whole, total = answer.whole.tolist(), answer.total.tolist()
    named = sorted(counted.active, key=lambda unit: -max(whole[unit], total[unit]))[:NAMED]
    dots = [
        Dot(
            total[unit],
            whole[unit],
            title=f"unit {unit}: whole {whole[unit]:.3g}, tiles together {total[unit]:.3g}",
            label=str(unit) if unit in named else "",
            href=f"{unit_href}{unit}" if unit_href else "",
            marked=unit in named,
        )
        for unit in counted.active
    ]
    return scatter_chart(
        dots,
        rays=RAYS,
        label="Each unit's count of the whole against the sum over its tiles",
        x_label="sum over the four tiles, Σ φ(Tⱼx)",
        y_label="whole, φ(Dx)",
    )


def totals_scatter(counted: Counted, reference: Reference) -> Markup:
    """The total counts of held-out images, and where this one lies among them."""
    pairs = zip(reference.total.sum(axis=1).tolist(), reference.whole.sum(axis=1).tolist(), strict=True)
    here = Dot(counted.tiles_total, counted.whole_total, "this image", "this image", marked=True)
    return scatter_chart(
        [*(Dot(total, whole) for total, whole in pairs), here],
        rays=RAYS,
        label="Total counts of held-out images, whole against tiles, and this image among them",
        x_label="sum over the four tiles, all units",
        y_label="whole, all units",
    )


def strangers_histogram(counted: Counted) -> Markup | None:
    """How far the wholes of strangers of similar norm are from this image's tiles, and how far its own is."""
    if counted.strangers is None:
        return None
    distances = counted.strangers.distances.tolist()
    top = max(distances[-1], counted.residual) * 1.02 or 1.0
    counts = [0] * BINS
    for distance in distances:
        counts[min(int(distance / top * BINS), BINS - 1)] += 1
    return histogram(
        [top * place / BINS for place in range(BINS + 1)],
        counts,
        label="Distances of strangers of similar norm from this image's tiles, and its own residual",
        x_label="distance from this image's tile sum, ‖φ(Dy) − s(x)‖",
        y_label="strangers",
        markers={"its own whole": counted.residual},
        height=130,
    )


def crop_curve(points: tuple[CurvePoint, ...], area: float | None) -> Markup:
    """How much nested crops count."""
    series = {
        "total count": [(100 * point.area, point.total) for point in points],
        "norm": [(100 * point.area, point.norm) for point in points],
    }
    markers = {f"{round(100 * area)} %": 100 * area} if area is not None else None
    return line_chart(
        series,
        label="How much nested crops count",
        x_label="share of the central square's area, %",
        markers=markers,
        height=180,
    )
