"""The page of one gallery: a filtered list of its images, and the forms that scan it, train on it and add to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.routes.galleries.import_forms import GalleryJob, ImportForms, import_forms, import_job, scan_job
from app.routes.galleries.view import SIZES, Filter, facet_options, origin, seen, unfinished, waiting
from app.services.galleries.service import GalleryRecord, ImagePage
from app.services.home.first_screen import scan_of, scanning
from app.services.services import Services
from app.services.training.form import Setting, TrainForm, train_form
from app.settings import Settings
from app.web.formats import count
from app.web.frame import PageContext
from models.galleries.packs import PackRow

DRAWN = ("sample", "countables")  # kinds of source whose origin follows a colon
SIZE_LETTERS = (("S", "small"), ("M", "medium"), ("L", "large"))
READ = "JPEG, PNG, WebP, GIF, BMP and PPM files are read."


@dataclass(frozen=True)
class FacetMenu:
    """A menu of labels or splits; an option is (value, text, whether it is chosen)."""

    name: str
    title: str
    options: Sequence[tuple[str, str, bool]]


@dataclass(frozen=True)
class GalleryTile:
    """An image in the grid; `near` is the address of its neighbours, `label` stands below it."""

    row: int
    href: str
    src: str
    path: str
    alt: str
    label: str
    near: str


@dataclass(frozen=True)
class ImageGrid:
    """The images that the filter leaves, and links that change the filter.

    `hidden_size` is a field that keeps the size of the tiles, `everything` the address without a filter, `side` the
    size of a tile in pixels. `total` counts all images of the filter, `range` says which are on this page. `first` and
    `next` are the addresses of those pages of the list, None where there is none to go to.
    """

    menus: Sequence[FacetMenu]
    hidden_size: str
    show_all: str  # the address without label and split; empty where none is chosen
    everything: str
    total: str
    sizes: Sequence[tuple[str, str, bool]]
    side: int
    captions: bool
    tiles: Sequence[GalleryTile]
    first: str | None
    next: str | None
    range: str


@dataclass(frozen=True)
class Bare:
    """Why a gallery has no images, and a link to what can be done about it."""

    words: str
    action: str
    label: str


@dataclass(frozen=True)
class TypedSetting:
    """A setting of the training as it was typed; `hint` says what it is and which values the recipes have.

    `choices` are its possible values, empty if any may be typed; `words`: it is a text instead of a number.
    """

    key: str
    title: str
    choices: Sequence[str]
    words: bool
    value: str
    placeholder: str
    hint: str


@dataclass(frozen=True)
class Training:
    """The form that trains on the gallery. `first` are the settings that are always shown, `others` are folded.

    `tasks` are links to this form for another task; `then_scan`: a scan with the new checkpoint follows.
    """

    task: str
    note: str
    tasks: Sequence[tuple[str, str, bool]]
    recipes: Sequence[str]
    recipe: str
    first: Sequence[TypedSetting]
    others: Sequence[TypedSetting]
    seed: str
    then_scan: bool


@dataclass(frozen=True)
class GalleryContext(PageContext):
    """The page of one gallery. `grid` is None if it has no images, `bare` if it has some or waits for some.

    `import_job` and `scan_job` are its jobs that have not ended, if any; `waiting`: the page reloads itself.
    """

    template: ClassVar[str] = "gallery.html"
    name: str
    here: str
    lead: str
    json: str
    skipped: str
    error: str
    import_job: GalleryJob | None
    scan_job: GalleryJob | None
    near: str  # the address of the scan that its images lead to; empty without one
    waiting: bool
    grid: ImageGrid | None
    bare: Bare | None
    scans: Sequence[tuple[str, str, str]]  # slug, address, checkpoint
    checkpoints: Sequence[tuple[str, str]]  # slug and name
    checkpoint: str
    training: Training
    forms: ImportForms


def gallery_context(
    services: Services,
    gallery: GalleryRecord,
    view: Filter,
    *,
    cursor: str | None,
    limit: int,
    error: str,
    given: Mapping[str, str],
    task: str,
) -> GalleryContext:
    """The page, with the fields `given` in the form that was sent, if one was."""
    settings, slug = services.settings, gallery.slug
    job, scan, near = unfinished(services, gallery), scanning(services, slug), scan_of(services, slug)
    here, near_at = settings.url(f"/galleries/{slug}"), "" if near is None else settings.url(f"/scans/{near}")
    return GalleryContext(
        name=gallery.name,
        here=here,
        lead=_lead(gallery, origin(services, gallery)),
        json=settings.url(f"/api/galleries/{slug}"),
        skipped=f"{count(gallery.skipped, 'file')} skipped" if gallery.skipped else "",
        error=error,
        import_job=None if job is None else import_job(job, settings),
        scan_job=None if scan is None else scan_job(scan, settings),
        near=near_at,
        waiting=waiting([job, scan]),
        grid=_grid(services, gallery, view, near_at, cursor=cursor, limit=limit) if gallery.rows else None,
        bare=None if gallery.rows or job else _bare(gallery, here),
        scans=[
            (name, settings.url(f"/scans/{name}"), checkpoint) for name, checkpoint in services.galleries.scans(slug)
        ],
        checkpoints=services.checkpoints.choices(),
        checkpoint=given.get("checkpoint", ""),
        training=_training(train_form(services.store, given.get("task") or task), given, here),
        forms=import_forms(f"{here}/images", given, settings, naming=False),
    )


def _lead(gallery: GalleryRecord, words: str) -> str:
    between = ": " if gallery.source["kind"] in DRAWN else " "
    return f"{count(gallery.rows, 'image')}{between}{words}"


def _bare(gallery: GalleryRecord, here: str) -> Bare:
    if gallery.skipped:
        why = "None of the files could be read: see what was skipped and why."
        return Bare(f"{why} {READ}", f"{here}/skipped", "Skipped files")
    return Bare(f"Nothing was found to import. {READ}", "#add", "Add images")


def _grid(
    services: Services, gallery: GalleryRecord, view: Filter, near: str, *, cursor: str | None, limit: int
) -> ImageGrid:
    slug = gallery.slug
    found = services.galleries.images(slug, limit=limit, cursor=cursor, label=view.label, split=view.split)
    everything = view.link(label=None, split=None)
    sizes = [
        (letter, view.link(size=None if size == "medium" else size), view.size == size) for letter, size in SIZE_LETTERS
    ]
    return ImageGrid(
        menus=_menus(services, slug, view),
        hidden_size="" if view.size == "medium" else view.size,
        show_all=everything if view.label or view.split else "",
        everything=everything,
        total=seen(found),
        sizes=sizes,
        side=SIZES[view.size],
        captions=view.size != "small",
        tiles=[_tile(services.settings, slug, row, known, view, near) for row, known in found.images],
        first=None if cursor is None else view.link(),
        next=view.link(cursor=found.next) if found.next else None,
        range=_range(found, cursor),
    )


def _range(found: ImagePage, cursor: str | None) -> str:
    """The rows on this page, as `0 to 119`; empty if one page shows all."""
    paged = found.images and (found.next or cursor is not None)
    return f"{found.images[0][0]} to {found.images[-1][0]}" if paged else ""


def _menus(services: Services, slug: str, view: Filter) -> list[FacetMenu]:
    facets = services.galleries.facets(slug)
    kinds = (
        ("label", "Label", facets.labels, "all labels", view.label),
        ("split", "Split", facets.splits, "all splits", view.split),
    )
    return [
        FacetMenu(name, title, [(value, text, value == (chosen or "")) for value, text in facet_options(counts, every)])
        for name, title, counts, every, chosen in kinds
        if counts
    ]


def _tile(settings: Settings, slug: str, row: int, known: PackRow, view: Filter, near: str) -> GalleryTile:
    kept = "image" if view.size == "large" else "thumbnail"
    return GalleryTile(
        row=row,
        href=view.image(row),
        src=settings.url(f"/api/galleries/{slug}/images/{row}/{kept}"),
        path=known.path,
        alt=known.label or f"row {row}",
        label=known.label or "",
        near=f"{near}/search?row={row}" if near else "",
    )


def _training(form: TrainForm, given: Mapping[str, str], here: str) -> Training:
    return Training(
        task=form.task,
        note="with its labels" if form.labelled else "without labels",
        tasks=[(task, f"{here}?task={task}#train", task == form.task) for task in form.tasks],
        recipes=form.recipes,
        recipe=given.get("recipe", ""),
        first=[_setting(setting, given) for setting in form.first],
        others=[_setting(setting, given) for setting in form.others],
        seed=given.get("seed", "0"),
        then_scan=not given or given.get("then_scan") == "yes",
    )


def _setting(setting: Setting, given: Mapping[str, str]) -> TypedSetting:
    values = ", ".join(f"{recipe} {value}" for recipe, value in setting.values.items())
    differ = len(set(setting.values.values())) > 1
    return TypedSetting(
        key=f"config.{setting.name}",
        title=setting.name.replace("_", " ").capitalize(),
        choices=setting.choices,
        words=setting.words,
        value=given.get(f"config.{setting.name}", ""),
        placeholder=str(setting.values["small"]),
        hint=f"{setting.help} ({values})" if differ else setting.help,
    )
