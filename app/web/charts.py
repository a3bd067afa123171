"""Draws charts as SVG on the server: lines, bands, bars, histograms and scatter plots. They need no JavaScript.

CSS classes give the colours. The SVG is stretched to the size of its place (`preserveAspectRatio="none"`, strokes do
not scale); labels are HTML beside it, so that text keeps its size on a narrow screen.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from app.web.axes import Axis, axis_over, short
from models.training.curves import thin

SIZE = 1000  # the drawing's own units, in both directions
MOST_POINTS = 600  # of one line; longer series are thinned
COLOURS = 6  # the classes s1 to s6 of static/tessera.css

Series = Mapping[str, Sequence[tuple[float, float]]]  # name -> points (x, y)
Banded = Mapping[str, Sequence[tuple[float, float, float, float]]]  # name -> points (x, y, low, high)


def line_chart(
    series: Series,
    *,
    label: str = "",
    x_label: str = "step",
    y_label: str = "",
    log_y: bool = False,
    markers: Mapping[str, float] | None = None,
    levels: Mapping[str, float] | None = None,
    low: float | None = None,
    high: float | None = None,
    height: int = 220,
) -> Markup:
    """Draws named series of points (x, y) on shared axes; a value that is not finite leaves a gap in its line.

    `markers` are named values of x shown as vertical lines, `levels` named values of y as horizontal ones. A y below
    `low` or above `high` is drawn at that bound.
    """
    series = {name: [(a, _within(b, low, high)) for a, b in points] for name, points in series.items()}
    values = [point[1] for points in series.values() for point in points]
    x = axis_over((point[0] for points in series.values() for point in points), snug=True)
    y = axis_over([*values, *(levels or {}).values()] if values else [], log=log_y)
    paths = [
        Markup('<path class="line s{}" d="{}"><title>{}</title></path>').format(
            _colour(place), _path(points, x, y), name
        )
        for place, (name, points) in enumerate(series.items())
    ]
    keys = _keys(list(series)) if len(series) > 1 else Markup("")
    named = label or ", ".join(series)
    flags = Markup("").join(_marker(name, value, x) for name, value in (markers or {}).items())
    flags += Markup("").join(_level(name, value, y) for name, value in (levels or {}).items() if values)
    return _figure(Markup("").join(paths), x, y, named, _caption(y_label, keys), x_label, height, flags)


def band_chart(
    series: Banded,
    *,
    ticks: Sequence[tuple[float, str]] | None = None,
    guide: Sequence[tuple[float, float]] = (),
    label: str = "",
    x_label: str = "",
    y_label: str = "",
    keys: bool = True,
    height: int = 200,
) -> Markup:
    """Draws named series of (x, y, low, high) as lines, each with a band from low to high; the y axis includes 0.

    `ticks` are the (x, text) to show on the x axis instead of round numbers; `guide` is a line to compare with, drawn
    thin and dashed below the others.
    """
    x = axis_over((point[0] for points in series.values() for point in points), snug=True)
    ends = (end for points in series.values() for point in points for end in (point[1], point[3]))
    y = axis_over([*ends, *(value for _, value in guide)], from_zero=True)
    shapes = [Markup('<path class="guide" d="{}"/>').format(_path(guide, x, y))]
    named = list(enumerate(series.items()))
    for place, (name, points) in reversed(named):  # the first lies on top
        shapes.append(
            Markup('<g class="s{}"><title>{}</title><path class="band" d="{}"/><path class="line" d="{}"/></g>').format(
                _colour(place), name, _band(points, x, y), _path([(at, value) for at, value, _, _ in points], x, y)
            )
        )
    caption = _caption(y_label, _keys(list(series)) if keys and len(series) > 1 else Markup(""))
    return _figure(Markup("").join(shapes), x, y, label, caption, x_label, height, x_ticks=ticks)


def bar_chart(
    values: Sequence[float],
    *,
    labels: Sequence[str] = (),
    hrefs: Sequence[str] = (),
    marked: Sequence[int] = (),
    label: str = "",
    x_label: str = "",
    y_label: str = "",
    height: int = 200,
) -> Markup:
    """Draws one bar for each value, in order.

    `labels` show on hover, `hrefs` make bars links, and the bars whose positions are in `marked` stand out.
    """
    x, y = Axis(0, max(len(values), 1)), axis_over(values, from_zero=True)
    bars = []
    for place, value in enumerate(values):
        name = labels[place] if place < len(labels) else str(place)
        bar = _bar(place, place + 1, value, x, y, f"{name}: {value:.4g}", "bar marked" if place in marked else "bar")
        href = hrefs[place] if place < len(hrefs) else ""
        bars.append(Markup('<a href="{}">{}</a>').format(href, bar) if href else bar)
    ticks = [(tick + 0.5, short(tick)) for tick in axis_over([0, max(len(values) - 1, 1)], snug=True).ticks()]
    ticks = [(at, text) for at, text in ticks if at < x.high and at % 1 == 0.5]
    return _figure(Markup("").join(bars), x, y, label, _caption(y_label), x_label, height, x_ticks=ticks)


def histogram(
    edges: Sequence[float],
    counts: Sequence[float],
    *,
    label: str = "",
    x_label: str = "",
    y_label: str = "",
    even: bool = False,
    log_y: bool = False,
    zero: float | None = None,
    ticks: Sequence[float] = (),
    markers: Mapping[str, float] | None = None,
    height: int = 180,
) -> Markup:
    """Draws the counts of bins; `edges` are the bounds of the bins, one more than there are counts.

    `even` draws all bins equally wide, for bins whose width grows. `markers` are named values shown as vertical lines,
    `ticks` values to name on the x axis. `zero` is the number of values that are exactly 0; it is drawn as a bar of its
    own, apart from the others, and needs `even`.
    """
    first = 0.0 if zero is None else 2.0
    places = [first + place for place in range(len(edges))] if even else [float(edge) for edge in edges]
    x = axis_over(places if zero is None else [0.0, *places], snug=True)
    heights = [math.log10(1 + count) for count in counts] if log_y else [float(count) for count in counts]
    nothing = 0.0 if zero is None else math.log10(1 + zero) if log_y else zero
    y = axis_over([*heights, nothing], from_zero=True)
    bars = [
        _bar(places[i], places[i + 1], heights[i], x, y, f"{short(edges[i])} – {short(edges[i + 1])}: {count:,.6g}")
        for i, count in enumerate(counts)
    ]
    lines = [_marker(name, _place(value, edges, places), x) for name, value in (markers or {}).items()]
    x_ticks = _bin_ticks(edges, places) if even else None
    if ticks:
        x_ticks = [(_place(value, edges, places), short(value)) for value in ticks]
    if zero is not None:
        bars.append(_bar(0, 1, nothing, x, y, f"exactly 0: {zero:,.6g}", "bar marked"))
        x_ticks = [(0.5, "0"), *(x_ticks or ())]
    drawing, flags = Markup("").join(bars), Markup("").join(lines)
    y_ticks = [(math.log10(1 + 10**power), short(10**power)) for power in range(int(y.high) + 1)] if log_y else None
    return _figure(drawing, x, y, label, _caption(y_label), x_label, height, flags, x_ticks, y_ticks)


@dataclass(frozen=True)
class Dot:
    """A point of a scatter chart.

    `title` shows on hover, `label` beside the point; `href` makes it a link. A `marked` point stands out.
    """

    x: float
    y: float
    title: str = ""
    label: str = ""
    href: str = ""
    marked: bool = False


def scatter_chart(
    dots: Sequence[Dot],
    *,
    rays: Mapping[str, float],
    label: str = "",
    x_label: str = "",
    y_label: str = "",
    height: int = 300,
) -> Markup:
    """Draws points on two axes of the same range, which includes 0.

    `rays` are lines through the origin: their names with their slopes.
    """
    axis = axis_over((value for dot in dots for value in (dot.x, dot.y)), from_zero=True)
    lines, names = [], []
    for place, (name, slope) in enumerate(rays.items()):
        end = (axis.high, slope * axis.high) if slope <= 1 else (axis.high / slope, axis.high)
        path = _path([(0.0, 0.0), end], axis, axis)
        lines.append(Markup('<path class="line ray s{}" d="{}"></path>').format(_colour(place + 1), path))
        names.append(_beside(end, name, axis, f"ray s{_colour(place + 1)}"))
    plain = Markup("").join(_dot(dot, axis) for dot in dots if not dot.marked)
    marked = Markup("").join(_dot(dot, axis) for dot in dots if dot.marked)
    names += [_beside((dot.x, dot.y), dot.label, axis, "dot-name") for dot in dots if dot.label]
    drawing = Markup("").join(lines) + plain + marked
    return _figure(drawing, axis, axis, label, _caption(y_label), x_label, height, Markup("").join(names))


def _dot(dot: Dot, axis: Axis) -> Markup:
    point = Markup('<path class="dot{}" d="{}">{}</path>').format(
        " marked" if dot.marked else "",
        _path([(dot.x, dot.y)], axis, axis),
        Markup("<title>{}</title>").format(dot.title) if dot.title else "",
    )
    return Markup('<a href="{}">{}</a>').format(dot.href, point) if dot.href else point


def _beside(at: tuple[float, float], name: str, axis: Axis, kind: str) -> Markup:
    left, bottom = axis.share(at[0]), axis.share(at[1])
    side = " left" if left > 0.8 else ""
    return Markup('<span class="{}{}" style="left:{}%;bottom:{}%">{}</span>').format(
        kind, side, _cent(left), _cent(bottom), name
    )


def _figure(
    drawing: Markup,
    x: Axis,
    y: Axis,
    label: str,
    caption: Markup,
    x_label: str,
    height: int,
    flags: Markup = Markup(""),
    x_ticks: Sequence[tuple[float, str]] | None = None,
    y_ticks: Sequence[tuple[float, str]] | None = None,
) -> Markup:
    across = x_ticks if x_ticks is not None else [(tick, short(tick)) for tick in x.ticks()]
    up = y_ticks if y_ticks is not None else [(tick, short(tick)) for tick in y.ticks(4)]
    lines = Markup("").join(
        Markup('<line class="grid-line" x1="0" x2="{}" y1="{}" y2="{}"/>').format(SIZE, at, at)
        for at in (_down(y.share(tick)) for tick, _ in up)
    )
    y_labels = Markup("").join(
        Markup('<span class="tick y" style="bottom:{}%">{}</span>').format(_cent(y.share(tick)), text)
        for tick, text in up
    )
    x_labels = Markup("").join(
        Markup('<span class="tick x" style="left:{}%">{}</span>').format(_cent(x.share(tick)), text)
        for tick, text in across
    )
    svg = Markup('<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}{}</svg>').format(
        SIZE, SIZE, label or "Chart", lines, drawing
    )
    below = Markup('<p class="axis-label">{}</p>').format(x_label) if x_label else Markup("")
    return Markup('<figure class="chart">{}<div class="plot" style="height:{}px">{}{}{}{}</div>{}</figure>').format(
        caption, height, svg, flags, y_labels, x_labels, below
    )


def _path(points: Sequence[tuple[float, float]], x: Axis, y: Axis) -> str:
    """The SVG path data of a line; a lone point becomes a dot (a line of no length with round ends)."""
    parts: list[str] = []
    pen_down = False
    for step, value in thin(
        [(a, b if math.isfinite(b) and (b > 0 or not y.log) else math.nan) for a, b in points], MOST_POINTS
    ):
        if math.isnan(value):
            pen_down = False
            continue
        at = f"{SIZE * x.share(step):.1f} {_down(y.share(value))}"
        parts.append(f"L{at}" if pen_down else f"M{at}L{at}")
        pen_down = True
    return "".join(parts)


def _band(points: Sequence[tuple[float, float, float, float]], x: Axis, y: Axis) -> str:
    """The SVG path data of the area between low and high, cut off at the axis; empty if any number is not finite."""
    if not all(math.isfinite(number) for point in points for number in point):
        return ""
    upper = [(at, high) for at, _, _, high in points]
    lower = [(at, max(low, y.low)) for at, _, low, _ in reversed(points)]
    places = [f"{SIZE * x.share(at):.1f} {_down(y.share(value))}" for at, value in (*upper, *lower)]
    return f"M{'L'.join(places)}Z" if places else ""


def _bar(start: float, end: float, value: float, x: Axis, y: Axis, title: str, kind: str = "bar") -> Markup:
    left, right = SIZE * x.share(start), SIZE * x.share(end)
    gap = min(0.12 * (right - left), 3.0)
    zero, tip = y.share(0), y.share(value if math.isfinite(value) else 0)
    top, bottom = _down(max(zero, tip)), _down(min(zero, tip))
    return Markup('<rect class="{}" x="{:.2f}" width="{:.2f}" y="{}" height="{:.1f}"><title>{}</title></rect>').format(
        kind, left + gap / 2, max(right - left - gap, 0.2), top, float(bottom) - float(top), title
    )


def _marker(name: str, value: float, x: Axis) -> Markup:
    at = min(max(x.share(value), 0.0), 1.0)
    side = " left" if at > 0.6 else ""
    return Markup('<span class="marker{}" style="left:{}%"><b>{}</b></span>').format(side, _cent(at), name)


def _level(name: str, value: float, y: Axis) -> Markup:
    """A horizontal line with its name above it, or below where there is no room."""
    at = y.share(value)
    side = " under" if at > 0.85 else ""
    return Markup('<span class="level{}" style="bottom:{}%"><b>{}</b></span>').format(side, _cent(at), name)


def _within(value: float, low: float | None, high: float | None) -> float:
    """The value, or the bound that it passes; NaN stays NaN."""
    if math.isnan(value):
        return value
    return min(max(value, value if low is None else low), math.inf if high is None else high)


def _place(value: float, edges: Sequence[float], places: Sequence[float]) -> float:
    """The x at which a value is drawn when the bins are drawn at `places` instead of at their edges."""
    for i in range(len(edges) - 1):
        if value <= edges[i + 1]:
            span = edges[i + 1] - edges[i]
            inside = (value - edges[i]) / span if span > 0 and math.isfinite(span) else 0.5
            return places[i] + max(inside, 0.0) * (places[i + 1] - places[i])
    return places[-1]


def _bin_ticks(edges: Sequence[float], places: Sequence[float]) -> list[tuple[float, str]]:
    stride = max(1, math.ceil((len(edges) - 1) / 5))
    return [(places[i], short(edges[i])) for i in range(0, len(edges), stride)]


def _keys(names: Sequence[str]) -> Markup:
    return Markup("").join(
        Markup('<span class="key s{}">{}</span>').format(_colour(place), name) for place, name in enumerate(names)
    )


def _caption(y_label: str, keys: Markup = Markup("")) -> Markup:
    return Markup("<figcaption>{}{}</figcaption>").format(escape(y_label), keys) if y_label or keys else Markup("")


def _colour(place: int) -> int:
    return place % COLOURS + 1


def _down(share: float) -> str:
    return f"{SIZE * (1 - share):.1f}"


def _cent(share: float) -> str:
    return f"{100 * share:.2f}"
