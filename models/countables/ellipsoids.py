"""Ellipsoids that are lit from one side and painted over each other: critters and balls are drawn of them."""

from dataclasses import dataclass

import numpy as np

from models.countables.values import Floats, Light, Mask

EDGE = 1.6  # fine pixels over which an outline fades


@dataclass(frozen=True)
class Oval:
    """An ellipsoid seen from above, in the object's own frame; the angle is in radians, clockwise on the screen."""

    x: float
    y: float
    rx: float
    ry: float
    angle: float = 0.0

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        w, h = float(np.hypot(self.rx * c, self.ry * s)), float(np.hypot(self.rx * s, self.ry * c))
        return self.x - w, self.y - h, self.x + w, self.y + h

    def moved(self, turn: float, scale: float, dx: float, dy: float) -> "Oval":
        """Turned about the origin, then scaled, then shifted."""
        c, s = float(np.cos(turn)), float(np.sin(turn))
        return Oval(
            (self.x * c - self.y * s) * scale + dx,
            (self.x * s + self.y * c) * scale + dy,
            self.rx * scale,
            self.ry * scale,
            self.angle + turn,
        )


@dataclass(frozen=True)
class OvalPatch:
    """An oval on a patch: the window it touches, its coverage there and its unit normals."""

    window: tuple[slice, slice]
    cover: Floats
    nx: Floats
    ny: Floats
    nz: Floats

    def mask(self, height: int, width: int) -> Mask:
        """The pixels that it covers at least half."""
        whole = np.zeros((height, width), bool)
        whole[self.window] = self.cover >= 0.5
        return whole


def oval_patch(oval: Oval, height: int, width: int, bulge: float = 1.0) -> OvalPatch:
    """The oval in a patch of that size; `bulge` below 1 flattens it (a paw pressed down, a coin)."""
    left, top, right, bottom = oval.bounds()
    x0, y0 = max(0, int(left) - 2), max(0, int(top) - 2)
    x1, y1 = min(width, int(right) + 3), min(height, int(bottom) + 3)
    x = np.arange(x0, x1, dtype=np.float32)[None, :] + np.float32(0.5 - oval.x)
    y = np.arange(y0, y1, dtype=np.float32)[:, None] + np.float32(0.5 - oval.y)
    c, s = np.float32(np.cos(oval.angle)), np.float32(np.sin(oval.angle))
    u, v = (x * c + y * s) / np.float32(oval.rx), (y * c - x * s) / np.float32(oval.ry)
    squared = u * u + v * v
    cover = np.clip((1 - np.sqrt(squared)) * np.float32(min(oval.rx, oval.ry) / EDGE) + np.float32(0.5), 0, 1)
    nz = np.sqrt(np.maximum(1 - squared * np.float32(bulge**2), np.float32(0.0025)))
    u, v = u * np.float32(bulge), v * np.float32(bulge)
    length = np.sqrt(u * u + v * v + nz * nz)
    return OvalPatch(
        (slice(y0, y1), slice(x0, x1)), cover, (u * c - v * s) / length, (u * s + v * c) / length, nz / length
    )


def paint(colour: Floats, alpha: Floats, seen: OvalPatch, paint_: Floats) -> None:
    """Lay a colour over what the patch holds already, where the oval covers it."""
    cover = seen.cover[..., None]
    colour[seen.window] += (paint_ - colour[seen.window]) * cover
    alpha[seen.window] += (1 - alpha[seen.window]) * seen.cover


def lit(light: Light, seen: OvalPatch, albedo: Floats) -> Floats:
    """A matt surface of that colour under the light."""
    return albedo * light.on(seen.nx, seen.ny, seen.nz)[..., None]
