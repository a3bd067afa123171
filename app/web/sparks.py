"""Draws small curves to stand beside numbers: a line with its band, without axes."""

from collections.abc import Sequence

from markupsafe import Markup

WIDE, HIGH = 100, 28  # the drawing's own units


def spark(points: Sequence[tuple[float, float, float]], *, top: float, label: str) -> Markup:
    """Draws values with their bands (y, low, high), evenly spaced, on a scale from 0 to `top`.

    The drawing is empty where `top` is not positive or there are fewer than two values.
    """
    if top <= 0 or len(points) < 2:
        return Markup('<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}"></svg>').format(
            WIDE, HIGH, label
        )
    places = [WIDE * place / (len(points) - 1) for place in range(len(points))]

    def drawn(values: Sequence[float], across: Sequence[float]) -> str:
        heights = [HIGH * (1 - min(max(value / top, 0.0), 1.0)) for value in values]
        return "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across, heights, strict=True))

    upper = drawn([point[2] for point in points], places)
    lower = drawn([point[1] for point in reversed(points)], places[::-1])
    line = drawn([point[0] for point in points], places)
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path class="band" d="M{}L{}Z"/><path class="line" d="M{}"/></svg>'
    ).format(WIDE, HIGH, label, upper, lower, line)
