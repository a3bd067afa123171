"""Charts as server-made SVG: lines, bars, histograms; coloured by classes, readable without JavaScript.

The drawing is stretched to its place (`preserveAspectRatio="none"`, strokes do not scale); labels are HTML beside it,
so that text keeps its size on a narrow screen.
"""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from app.web.axes import Axis, axis_over, short
from models.curves import thin

SIZE = 1000  # the drawing's own units, in both directions
MOST_POINTS = 600
COLOURS = 6

Series = Mapping[str, Sequence[tuple[float, float]]]


def line_chart(
    series: Series,
    *,
    label: str = "",
    x_label: str = "step",
    y_label: str = "",
    log_y: bool = False,
    markers: Mapping[str, float] | None = None,
    height: int = 220,
) -> Markup:
    """Named series of (x, y) on shared axes; a value that is not finite leaves a gap.

    `markers` are named values of x shown as vertical lines.
    """
    x = axis_over((point[0] for points in series.values() for point in points), snug=True)
    y = axis_over((point[1] for points in series.values() for point in points), log=log_y)
    paths = [
        Markup('<path class="line s{}" d="{}"><title>{}</title></path>').format(
            _colour(place), _path(points, x, y), name
        )
        for place, (name, points) in enumerate(series.items())
    ]
    keys = _keys(list(series)) if len(series) > 1 else Markup("")
    named = label or ", ".join(series)
    flags = Markup("").join(_marker(name, value, x) for name, value in (markers or {}).items())
    return _figure(Markup("").join(paths), x, y, named, _caption(y_label, keys), x_label, height, flags)


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
    """A bar a value, in order; `labels` show on hover, `hrefs` make bars links, `marked` ones stand out."""
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
    markers: Mapping[str, float] | None = None,
    height: int = 180,
) -> Markup:
    """Counts between edges (one more than counts); `even` draws all bins equally wide, for bins that grow.

    `markers` are named values shown as vertical lines.
    """
    places = [float(place) for place in range(len(edges))] if even else [float(edge) for edge in edges]
    x = axis_over(places, snug=True)
    heights = [math.log10(1 + count) for count in counts] if log_y else [float(count) for count in counts]
    y = axis_over(heights, from_zero=True)
    bars = [
        _bar(places[i], places[i + 1], heights[i], x, y, f"{short(edges[i])} – {short(edges[i + 1])}: {count:,.6g}")
        for i, count in enumerate(counts)
    ]
    lines = [_marker(name, _place(value, edges, places), x) for name, value in (markers or {}).items()]
    ticks = _bin_ticks(edges, places) if even else None
    drawing, flags = Markup("").join(bars), Markup("").join(lines)
    y_ticks = [(math.log10(1 + 10**power), short(10**power)) for power in range(int(y.high) + 1)] if log_y else None
    return _figure(drawing, x, y, label, _caption(y_label), x_label, height, flags, ticks, y_ticks)


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
    """The `d` of a line; a lone point becomes a dot (a line of no length with round ends)."""
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


def _place(value: float, edges: Sequence[float], places: Sequence[float]) -> float:
    """Where a value lies among bins that may be drawn at other places than their edges."""
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
