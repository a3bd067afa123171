"""HOG glyphs as SVG: in each cell a line along every orientation that an edge may have, darker where it is stronger."""

import math

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

CELL = 16  # units of the drawing along a cell
LEVELS = 6


def glyph_svg(strengths: NDArray[np.floating], label: str) -> Markup:
    """Strengths (cells, cells, orientations) of gradients over 180 degrees -> a square drawing.

    A line is drawn along the edge, at right angles to the gradient that made it, on the scale of the strongest.
    """
    rows, columns, orientations = strengths.shape
    most = float(strengths.max()) or 1.0
    paths: list[list[str]] = [[] for _ in range(LEVELS)]
    for row, column, place in zip(*np.nonzero(strengths > most / (2 * LEVELS)), strict=True):
        share = float(strengths[row, column, place]) / most
        angle = math.pi * ((place + 0.5) / orientations + 0.5)
        dx, dy = (0.46 * CELL * part for part in (math.cos(angle), math.sin(angle)))
        x, y = (column + 0.5) * CELL, (row + 0.5) * CELL
        paths[min(int(share * LEVELS), LEVELS - 1)].append(f"M{x - dx:.1f} {y - dy:.1f}L{x + dx:.1f} {y + dy:.1f}")
    lines = Markup("").join(
        Markup('<path class="g{}" d="{}"/>').format(level + 1, "".join(parts))
        for level, parts in enumerate(paths)
        if parts
    )
    return Markup('<svg class="glyph" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        columns * CELL, rows * CELL, label, lines
    )
