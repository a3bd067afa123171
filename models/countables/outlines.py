"""The outline of a mask as closed loops along pixel edges, for drawing it as vectors."""

import numpy as np

from models.countables.values import Mask

Corner = tuple[int, int]  # x, y


def loops(shape: Mask) -> list[list[Corner]]:
    """Every boundary of the mask, holes included, as its corners in order; what is on lies to the right."""
    steps = _steps(shape)
    found = []
    while steps:
        start = next(iter(steps))
        found.append(_loop(steps, start))
    return found


def path(shape: Mask, left: int = 0, top: int = 0) -> str:
    """The loops as the `d` of an SVG path, shifted to where the mask lies."""
    parts = []
    for loop in loops(shape):
        (x, y), *rest = loop
        parts.append(f"M{x + left} {y + top}")
        for corner in rest:
            parts.append(f"H{corner[0] + left}" if corner[1] == y else f"V{corner[1] + top}")
            y = corner[1]
        parts.append("Z")
    return "".join(parts)


def _steps(shape: Mask) -> dict[Corner, list[Corner]]:
    """The edges between on and off, from corner to corner: where each corner leads."""
    padded = np.pad(shape, 1).astype(np.int8)
    steps: dict[Corner, list[Corner]] = {}
    down = np.diff(padded, axis=0)[:, 1:-1]  # +1: off above, on below
    for y, x in zip(*np.nonzero(down), strict=True):
        first, second = ((int(x), int(y)), (int(x) + 1, int(y)))
        begin, end = (first, second) if down[y, x] > 0 else (second, first)
        steps.setdefault(begin, []).append(end)
    across = np.diff(padded, axis=1)[1:-1]  # +1: off on the left, on on the right
    for y, x in zip(*np.nonzero(across), strict=True):
        first, second = ((int(x), int(y)), (int(x), int(y) + 1))
        begin, end = (second, first) if across[y, x] > 0 else (first, second)
        steps.setdefault(begin, []).append(end)
    return steps


def _loop(steps: dict[Corner, list[Corner]], start: Corner) -> list[Corner]:
    """Walk from a corner back to it, taking the edges away; corners on a straight line are left out."""
    corners: list[Corner] = []
    here = start
    while True:
        there = steps[here].pop()
        if not steps[here]:
            del steps[here]
        straight = len(corners) >= 2 and _straight(corners[-2], corners[-1], there)
        corners = [*corners[:-1], there] if straight else [*(corners or [here]), there]
        here = there
        if here == start:
            break
    corners.pop()
    if len(corners) > 2 and _straight(corners[-1], corners[0], corners[1]):
        corners.pop(0)
    return corners


def _straight(a: Corner, b: Corner, c: Corner) -> bool:
    return (a[0] == b[0] == c[0]) or (a[1] == b[1] == c[1])
