"""A soft toy animal with one head, two eyes, one nose and four paws, some of them hidden by its own body.

Everything is an ellipsoid, listed from back to front, so that the order of the list decides what hides what.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from models.countables.ellipsoids import Oval, OvalPatch, lit, oval_patch, paint
from models.countables.values import Floats, Light, Mask, Split, Sprite, SpritePart, texture

Role = Literal["fur", "pale", "ear", "head", "eye", "nose", "paw"]


@dataclass(frozen=True)
class Piece:
    """An oval and the part of the animal that it is."""

    role: Role
    oval: Oval


@dataclass(frozen=True)
class Colouring:
    """The colours of a toy (red, green, blue in 0..1) and how much darker its stripes are."""

    fur: tuple[float, float, float]
    pale: tuple[float, float, float]
    ear: tuple[float, float, float]
    eye: tuple[float, float, float]
    stripes: float = 0.0


COLOURINGS: Final[dict[str, Colouring]] = {
    "fox": Colouring((0.80, 0.42, 0.16), (0.95, 0.88, 0.78), (0.30, 0.18, 0.14), (0.45, 0.30, 0.08)),
    "tabby": Colouring((0.62, 0.50, 0.36), (0.86, 0.78, 0.66), (0.75, 0.52, 0.48), (0.45, 0.55, 0.15), 0.35),
    "bear": Colouring((0.42, 0.28, 0.18), (0.66, 0.50, 0.36), (0.55, 0.36, 0.28), (0.25, 0.14, 0.06)),
    "panda": Colouring((0.90, 0.89, 0.86), (0.97, 0.96, 0.94), (0.12, 0.12, 0.13), (0.25, 0.17, 0.10)),
    "mouse": Colouring((0.55, 0.54, 0.55), (0.78, 0.76, 0.76), (0.85, 0.60, 0.60), (0.12, 0.08, 0.08)),
    "night": Colouring((0.17, 0.16, 0.18), (0.42, 0.40, 0.42), (0.45, 0.30, 0.32), (0.75, 0.62, 0.12)),
    "sand": Colouring((0.88, 0.76, 0.54), (0.97, 0.93, 0.84), (0.82, 0.60, 0.50), (0.20, 0.36, 0.48)),
    "blue": Colouring((0.36, 0.50, 0.68), (0.78, 0.84, 0.90), (0.86, 0.66, 0.70), (0.16, 0.22, 0.34), 0.15),
}
HELD_OUT: Final = "blue"  # kept for the test split
SHARE: Final = 0.86  # how far apart the eyes are, and the like, varies from this to its inverse


def colourings(split: Split) -> tuple[str, ...]:
    """The colourings of a split."""
    return tuple(name for name in COLOURINGS if (name == HELD_OUT) == (split == "test"))


def draw(rng: np.random.Generator, size: float, light: Light, split: Split) -> Sprite:
    """A toy whose longer side is `size` fine pixels."""
    name = str(rng.choice(colourings(split)))
    pose = POSES[int(rng.integers(len(POSES)))]
    vary = rng.uniform(SHARE, 1 / SHARE, 4)
    mirrored, turn = bool(rng.integers(2)), float(rng.normal(0, 0.35))
    pieces, height, width = _placed(pose(vary), mirrored, turn, size)
    coat, stripe = texture(rng, height, width, size / 120), rng.uniform(0, np.pi)
    colour = np.zeros((height, width, 3), np.float32)
    alpha = np.zeros((height, width), np.float32)
    shapes: list[tuple[Role, Mask]] = []
    for piece in pieces:
        seen = oval_patch(piece.oval, height, width, 0.8 if piece.role in ("pale", "ear") else 0.97)
        if piece.role == "eye":
            _eye(colour, alpha, seen, COLOURINGS[name], light)
        else:
            paint(colour, alpha, seen, _surface(piece, seen, COLOURINGS[name], light, coat, float(stripe)))
        shapes.append((piece.role, seen.mask(height, width)))
    return Sprite("critter", colour, alpha, _parts(shapes), name)


def _surface(piece: Piece, seen: OvalPatch, look_: Colouring, light: Light, coat: Floats, stripe: float) -> Floats:
    """The surface of a piece under the light: fur, or a wet nose."""
    if piece.role == "nose":
        dark = np.array((0.16, 0.10, 0.10), np.float32)
        return lit(light, seen, dark) + 0.5 * light.glint(seen.nx, seen.ny, seen.nz, 20)[..., None]
    base = {"pale": look_.pale, "ear": look_.ear, "paw": look_.pale}.get(piece.role, look_.fur)
    rough = coat[seen.window]
    shade = 1 + 0.11 * rough
    if look_.stripes and piece.role in ("fur", "head"):
        wave = np.sin((seen.nx * np.cos(stripe) + seen.ny * np.sin(stripe)) * 11 + rough)
        shade = shade * (1 - look_.stripes * (wave > 0.2))
    # Seen from above, what is round falls away to the side and darkens there: it parts paws from the body.
    rim = 0.72 + 0.28 * np.sqrt(seen.nz)
    return lit(light, seen, np.array(base, np.float32)) * (shade * rim)[..., None].astype(np.float32)


def _eye(colour: Floats, alpha: Floats, seen: OvalPatch, look_: Colouring, light: Light) -> None:
    """A coloured glass eye with a black pupil and a glint, rimmed dark."""
    radius = np.sqrt(seen.nx**2 + seen.ny**2)
    iris = np.array(look_.eye, np.float32) * (0.7 + 0.6 * seen.nz)[..., None]
    ball = np.where(radius[..., None] < 0.55, np.float32(0.04), iris)
    ball = np.where(radius[..., None] > 0.88, np.float32(0.08), ball)
    glint = light.glint(seen.nx, seen.ny, seen.nz, 24)[..., None]
    paint(colour, alpha, seen, (ball * (1 - glint) + glint).astype(np.float32))


def _parts(shapes: list[tuple[Role, Mask]]) -> tuple[SpritePart, ...]:
    """The pieces that are counted.

    An eye or a nose in front of the head belongs to the head and hides nothing of it.
    """
    parts = []
    for index, (role, shape) in enumerate(shapes):
        if role not in ("head", "eye", "nose", "paw"):
            continue
        seen = shape.copy()
        for other, cover in shapes[index + 1 :]:
            if role != "head" or other not in ("eye", "nose", "pale"):
                seen &= ~cover
        parts.append(SpritePart(role, shape, seen))
    return tuple(parts)


def _placed(pieces: list[Piece], mirrored: bool, turn: float, size: float) -> tuple[list[Piece], int, int]:
    """The pieces turned, scaled so that the longer side is `size`, and shifted onto a patch that holds them."""
    sign = -1.0 if mirrored else 1.0
    ovals = [Oval(sign * p.oval.x, p.oval.y, p.oval.rx, p.oval.ry, sign * p.oval.angle) for p in pieces]
    box = np.array([oval.moved(turn, 1, 0, 0).bounds() for oval in ovals])
    left, top, right, bottom = box[:, 0].min(), box[:, 1].min(), box[:, 2].max(), box[:, 3].max()
    scale = size / max(right - left, bottom - top)
    moved = [oval.moved(turn, scale, 2 - left * scale, 2 - top * scale) for oval in ovals]
    height, width = int(np.ceil((bottom - top) * scale)) + 4, int(np.ceil((right - left) * scale)) + 4
    return [Piece(p.role, oval) for p, oval in zip(pieces, moved, strict=True)], height, width


def _face(x: float, y: float, scale: float, vary: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[Piece]:
    """A head from the front with everything on it."""
    apart, big = 0.21 * vary[0] * scale, 0.105 * vary[1] * scale
    ear = 0.27 * vary[2] * scale
    pieces = []
    for side in (-1, 1):
        pieces.append(Piece("fur", Oval(x + side * 0.36 * scale, y - 0.38 * scale, 0.17 * scale, ear, side * 0.45)))
        pieces.append(
            Piece("ear", Oval(x + side * 0.36 * scale, y - 0.37 * scale, 0.1 * scale, 0.66 * ear, side * 0.45))
        )
    pieces.append(Piece("head", Oval(x, y, 0.52 * scale, 0.45 * scale * vary[3] ** 0.5)))
    pieces.append(Piece("pale", Oval(x, y + 0.19 * scale, 0.24 * scale, 0.19 * scale)))
    pieces += [Piece("eye", Oval(x + side * apart, y - 0.06 * scale, big, 1.1 * big)) for side in (-1, 1)]
    pieces.append(Piece("nose", Oval(x, y + 0.11 * scale, 0.1 * scale, 0.075 * scale)))
    return pieces


Vary = np.ndarray[tuple[int], np.dtype[np.float64]]


def _sitting(vary: Vary) -> list[Piece]:
    """From the front, all four paws to be seen."""
    wide = 0.5 * vary[3]
    return [
        Piece("fur", Oval(0.62, 0.5, 0.36, 0.12, -0.7)),
        Piece("fur", Oval(0, 0.42, wide, 0.56)),
        Piece("pale", Oval(0, 0.5, 0.62 * wide, 0.38)),
        *(Piece("paw", Oval(s * 0.46 * vary[0], 0.9, 0.24, 0.17, s * 0.2)) for s in (-1, 1)),
        *(Piece("paw", Oval(s * 0.17 * vary[1], 0.72, 0.13, 0.2, s * 0.12)) for s in (-1, 1)),
        *_face(0, -0.28, 1.05, vary),
    ]


def _sprawled(vary: Vary) -> list[Piece]:
    """From above, lying flat."""
    return [
        Piece("fur", Oval(0.1, 1.12, 0.1, 0.42, 0.25)),
        *(Piece("paw", Oval(s * 0.56 * vary[0], -0.12, 0.27, 0.15, s * -0.5)) for s in (-1, 1)),
        *(Piece("paw", Oval(s * 0.54 * vary[1], 0.82, 0.27, 0.16, s * 0.6)) for s in (-1, 1)),
        Piece("fur", Oval(0, 0.36, 0.46 * vary[3], 0.62)),
        *_face(0, -0.42, 0.92, vary),
    ]


def _profile(vary: Vary) -> list[Piece]:
    """From the side: the far eye is behind the head, the far paws behind the near ones."""
    long = 0.72 * vary[3]
    return [
        Piece("fur", Oval(-long - 0.1, -0.1, 0.12, 0.42, -0.5)),
        Piece("paw", Oval(-0.34 * vary[0], 0.6, 0.14, 0.24)),
        Piece("paw", Oval(0.4 * vary[1], 0.6, 0.14, 0.24)),
        Piece("fur", Oval(0, 0.18, long, 0.4)),
        Piece("pale", Oval(0.02, 0.36, 0.72 * long, 0.18)),
        Piece("paw", Oval(-0.5 * long, 0.62, 0.17, 0.27)),
        Piece("paw", Oval(0.55 * long, 0.62, 0.16, 0.27)),
        Piece("eye", Oval(long * 0.75 + 0.08, -0.38, 0.08, 0.09)),
        Piece("fur", Oval(long * 0.75 - 0.18, -0.62, 0.13, 0.24 * vary[2], -0.3)),
        Piece("head", Oval(long * 0.75, -0.28, 0.42, 0.36)),
        Piece("pale", Oval(long * 0.75 + 0.3, -0.14, 0.22, 0.15)),
        Piece("ear", Oval(long * 0.75 - 0.14, -0.52, 0.1, 0.2 * vary[2], -0.4)),
        Piece("eye", Oval(long * 0.75 + 0.12, -0.34, 0.09 * vary[1], 0.1 * vary[1])),
        Piece("nose", Oval(long * 0.75 + 0.49, -0.18, 0.075, 0.065)),
    ]


def _from_behind(vary: Vary) -> list[Piece]:
    """Sitting with its back to us: no eyes, no nose, and the front paws are behind the body."""
    face = _face(0, -0.3, 0.98, vary)
    hidden = [piece for piece in face if piece.role in ("eye", "nose")]
    return [
        *hidden,
        *(Piece("paw", Oval(s * 0.16, 0.6, 0.13, 0.19)) for s in (-1, 1)),
        *(piece for piece in face if piece.role in ("fur", "head")),
        Piece("fur", Oval(0, 0.42, 0.52 * vary[3], 0.54)),
        *(Piece("paw", Oval(s * 0.42 * vary[0], 0.88, 0.22, 0.14, s * 0.2)) for s in (-1, 1)),
        Piece("fur", Oval(0.24, 0.66, 0.11, 0.4, 0.5)),
    ]


def _loaf(vary: Vary) -> list[Piece]:
    """Lying with the hind paws tucked in."""
    return [
        *(Piece("paw", Oval(s * 0.4, 0.3, 0.18, 0.14)) for s in (-1, 1)),
        Piece("fur", Oval(0.5, 0.36, 0.34, 0.13, 0.5)),
        Piece("fur", Oval(0, 0.26, 0.66 * vary[3], 0.44)),
        *(Piece("paw", Oval(s * 0.26 * vary[1], 0.62, 0.19, 0.13, s * 0.1)) for s in (-1, 1)),
        *_face(-0.06, -0.1, 0.9, vary),
    ]


POSES: Final = (_sitting, _sprawled, _profile, _from_behind, _loaf)
