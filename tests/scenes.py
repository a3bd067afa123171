"""A gallery of hand-made scenes, bright squares on flat ground, and a scan of it by a network that is an oracle."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from app.jobs import registration
from app.jobs.spec import Output
from app.services.services import Services
from app.store.tables import CheckpointRow
from models.card import LayerCard
from models.countables.masks import runs
from models.counting import predictors
from models.galleries.images import StoredImage, store_image
from models.galleries.packs import Pack, PackRow, write_manifest, write_shard
from models.scans.files import CountPath, LayerPart, ScanInfo, ScanWriter, Trunk
from models.scans.unit_tables import EDGES, UnitTable

SIDE, SEEDS, MIXED = 64, 6, 40
SLOTS = ((16, 16), (48, 48), (48, 16), (16, 48))  # middles of up to four squares
GALLERY, CHECKPOINT = "squares", "oracle"
Counts = Callable[[predictors.Predictors], np.ndarray]


@dataclass(frozen=True)
class Squares:
    """A scene: so many squares of one side, in pixels."""

    sweep: str | None
    level: float | str | None
    seed: int
    number: int
    side: int
    contrast: float = 1.0


def squares() -> Iterator[Squares]:
    """The scenes of the gallery, mixed ones first."""
    rng = np.random.default_rng(0)
    for seed in range(MIXED):
        yield Squares(
            None, None, 100 + seed, int(rng.integers(5)), int(rng.integers(5, 15)), float(rng.uniform(0.3, 1))
        )
    for seed in range(SEEDS):
        yield from (Squares("number-fixed-size", float(number), seed, number, 12) for number in (0, 1, 2, 4))
        yield from (Squares("number-fixed-area", float(n), seed, n, side) for n, side in ((1, 24), (4, 12)))
        yield from (Squares("size", side / SIDE, seed, 1, side) for side in (8, 16, 24))
        yield from (Squares("contrast", contrast, seed, 2, 12, contrast) for contrast in (0.25, 0.5, 1.0))
        yield from (Squares("empty", ground, seed, 0, 0) for ground in ("dark", "light"))


def drawn(scene: Squares) -> tuple[bytes, str, str]:
    """The scene as PNG, what decided it, and its truth."""
    ground = 150 if scene.level == "light" else 60
    pixels = np.full((SIDE, SIDE), ground, dtype=np.uint8)
    objects = []
    shift = np.random.default_rng(scene.seed).integers(-2, 3, 2)
    for x, y in SLOTS[: scene.number]:
        left, top = (int(middle + move) - scene.side // 2 for middle, move in zip((x, y), shift, strict=True))
        pixels[top : top + scene.side, left : left + scene.side] = ground + int(100 * scene.contrast)
        box = [left, top, left + scene.side, top + scene.side]
        shape = np.ones((scene.side, scene.side), dtype=bool)
        area = scene.side**2
        objects.append({"kind": "ball", "box": box, "area": area, "visible": 1.0, "rle": runs(shape), "parts": []})
    stored = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(stored, "PNG")
    truth = {"width": SIDE, "height": SIDE, "objects": objects}
    return stored.getvalue(), json.dumps(vars(scene)), json.dumps(truth)


def pack_of_squares(folder: Path) -> Pack:
    """The gallery's pack alone."""
    write_manifest(folder, [write_shard(folder, 0, _rows())])
    return Pack.open(folder)


def write_gallery(services: Services) -> Pack:
    """Draw, store and register the gallery."""
    folder = services.store.path(f"galleries/{GALLERY}")
    shard = write_shard(folder, 0, _rows())
    write_manifest(folder, [shard])
    output = Output("gallery", GALLERY, f"galleries/{GALLERY}")
    with services.store.write() as session:
        registration.gallery(folder, output, None, {"name": GALLERY})(session)  # type: ignore[arg-type]
        session.flush()
    return Pack.open(folder)


def _rows() -> Iterator[tuple[PackRow, StoredImage]]:
    for number, one in enumerate(squares()):
        data, scene, truth = drawn(one)
        image = store_image(data)
        name = f"{number:03d}.png"
        yield PackRow(name, None, None, None, None, SIDE, SIDE, SIDE, SIDE, image.sha256, scene, truth), image


def write_scan(
    services: Services, pack: Pack, counts: Counts, *, checkpoint: str = CHECKPOINT, measured: bool = True
) -> str:
    """Scan the gallery with an oracle: `counts` gives the count vectors (n, K) from what is true of the scenes."""
    slug = f"{checkpoint}-on-{GALLERY}"
    folder = services.store.path(f"scans/{slug}")
    known = predictors.measure(pack, lambda width, height: (0, 0, width, height))
    vectors = counts(known).astype(np.float32)
    layer = LayerCard("counts", vectors.shape[1], "counts", "head")
    info = ScanInfo(
        checkpoint=checkpoint, checkpoint_sha256=f"sha-{checkpoint}", gallery=GALLERY, shards=pack.shards,
        rows=len(pack), layers=(layer,), top_k=1, precision="fp32", count_precision="fp32", residual=False,
        trunk=Trunk(None, 32), counts=CountPath(SIDE, SIDE, 32, "area"),
    )  # fmt: skip
    writer = ScanWriter(folder, {})
    writer.write(0, pack.shards[0], {"counts": LayerPart(vectors, _table(vectors))}, None)
    writer.finish(info)
    if measured:
        predictors.save(folder, known)
    with services.store.write() as session:
        session.add(CheckpointRow(slug=checkpoint, name=checkpoint, folder=f"checkpoints/{checkpoint}",
                                  sha256=f"sha-{checkpoint}", architecture="none"))  # fmt: skip
        registration.scan(folder, Output("scan", slug, f"scans/{slug}"), None, {})(session)  # type: ignore[arg-type]
    return slug


def _table(vectors: np.ndarray) -> UnitTable:
    units = vectors.shape[1]
    rows = vectors.argmax(axis=0)[:, None].astype(np.int32)
    nowhere = np.full((units, 1), -1, dtype=np.int16)
    histogram = np.stack([np.histogram(column, EDGES)[0] for column in vectors.T]).astype(np.int32)
    return UnitTable(
        len(vectors), vectors.max(axis=0)[:, None], rows, nowhere, nowhere, vectors.max(axis=0),
        vectors.sum(axis=0, dtype=np.float64), (vectors > 0).sum(axis=0), histogram,
    )  # fmt: skip
