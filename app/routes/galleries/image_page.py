"""The page of one image: the image, what is known of it, and links to pages that ask networks about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from app.routes.galleries.view import Filter, counting_checkpoints, neighbours_in_list
from app.services.galleries.truth import TruthGrid
from app.services.services import Services
from app.web.frame import PageContext
from models.galleries.packs import PackRow


@dataclass(frozen=True)
class ImageTruth:
    """What is truly in the image, counted in four tiles between two lines that can be moved."""

    grid: TruthGrid
    note: str
    page: str  # where the form with the lines leads
    hidden: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class ImageQuestion:
    """A link to a page that asks about the image; `note` says what answers."""

    title: str
    href: str
    note: str


@dataclass(frozen=True)
class ImageContext(PageContext):
    """One image of a gallery; `before` and `after` are the addresses of its neighbours in the filtered list, or empty.

    `here` is the address of the gallery, `back` that of its filtered list, `data` that of the image's JSON. `truth` is
    None if nothing is known of what is in the image.
    """

    template: ClassVar[str] = "image.html"
    gallery: str
    here: str
    back: str
    row: int
    label: str
    alt: str
    data: str
    width: int
    height: int
    before: str
    after: str
    truth: ImageTruth | None
    facts: Sequence[tuple[str, object]]
    questions: Sequence[ImageQuestion]


def image_context(
    services: Services, gallery: str, row: int, view: Filter, lines: tuple[float, float] | None = None
) -> ImageContext:
    """The page of one image. Raises NotFound."""
    known = services.galleries.image(gallery, row)
    record, settings = services.galleries.get(gallery), services.settings
    before, after = neighbours_in_list(services, gallery, row, view)
    return ImageContext(
        gallery=record.name,
        here=settings.url(f"/galleries/{record.slug}"),
        back=view.link(),
        row=row,
        label=known.label or "",
        alt=known.label or known.path,
        data=settings.url(f"/api/galleries/{record.slug}/images/{row}"),
        width=known.jpeg_width,
        height=known.jpeg_height,
        before="" if before is None else view.image(before),
        after="" if after is None else view.image(after),
        truth=_truth(services, gallery, row, view, lines),
        facts=[*facts(row, known), *scene_facts(services.truth.scene(gallery, row))],
        questions=_questions(services, record.slug, row),
    )


def _truth(
    services: Services, gallery: str, row: int, view: Filter, lines: tuple[float, float] | None
) -> ImageTruth | None:
    if not services.truth.known(gallery, row):
        return None
    grid = services.truth.grid(gallery, row, lines)
    note = "marked by hand in the source photo" if grid.annotated else "known, because the scene was drawn"
    return ImageTruth(grid, note, view.image(row).partition("?")[0], view.state())


def _questions(services: Services, gallery: str, row: int) -> list[ImageQuestion]:
    url = services.settings.url
    benches = [
        ImageQuestion(
            "Does it count?",
            url(f"/checkpoints/{checkpoint}/count?gallery={gallery}&row={row}"),
            f"counting bench of {checkpoint}",
        )
        for checkpoint in counting_checkpoints(services)
    ]
    scans = [
        ImageQuestion("Nearest neighbours", url(f"/scans/{scan}/search?row={row}"), f"scan {scan}")
        for scan, _ in services.galleries.scans(gallery)
    ]
    return [*benches, *scans]


def facts(row: int, known: PackRow) -> list[tuple[str, object]]:
    """What is known of an image, as (name, value) to read."""
    size = f"{known.width} × {known.height}"
    stored = f"{known.jpeg_width} × {known.jpeg_height}"
    pairs: list[tuple[str, object]] = [("Row", row), ("Path", known.path)]
    pairs += [(name, value) for name, value in (("Label", known.label), ("Split", known.split)) if value]
    pairs += [("Source", known.source)] if known.source else []
    pairs += [("Counts", ", ".join(f"{name} {n}" for name, n in known.counts.items()))] if known.counts else []
    pairs += [("Size", size)] if size == stored else [("Size", size), ("Stored", stored)]
    return [*pairs, ("SHA-256", known.sha256)]


def scene_facts(scene: Mapping[str, Any] | None) -> list[tuple[str, object]]:
    """The settings that a generated scene was drawn with, as (name, value) to read; empty for photos."""
    if scene is None:
        return []
    crop = scene.get("ground_crop")
    place = f", crop {crop[0]},{crop[1]} to {crop[2]},{crop[3]} of the photo" if crop else ""
    pairs: list[tuple[str, object]] = [("Ground", f"{scene['ground']}{place}"), ("Seed", scene["seed"])]
    pairs += [("Contrast", f"{scene['contrast']:.2f}")] if scene["contrast"] != 1 else []
    pairs += [("Sweep", f"{scene['sweep']}, level {scene['level']}")] if scene["sweep"] else []
    return pairs
