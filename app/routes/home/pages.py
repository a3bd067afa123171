"""What the first screen shows: what a network sees in one image, the next step, and the newest of everything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.jobs.records import JobRecord
from app.routes.home.panel_views import Panels, ScanForm, panels
from app.routes.home.panels import FirstLook
from app.services.home.workspace import CheckpointItem, GalleryItem, NextStep, ScanItem, WorkspaceOverview
from app.services.jobs.view import view
from app.settings import Settings
from app.web.formats import ago, count, number, percent
from app.web.frame import PageContext

COUNTING = "counting"


@dataclass(frozen=True)
class ScanMaking:
    """The scan that is shown while its job is still making it."""

    rows: str
    title: str
    href: str
    state: str
    share: str


@dataclass(frozen=True)
class LookHead:
    """The line above the panels: whose image is seen by which checkpoint, and links to other scans and images.

    `making` is given while the scan is still being made; `waits`: the page asks again for what is missing.
    """

    title: str
    making: ScanMaking | None
    scans: Sequence[str]
    scan: str  # the one that is shown; empty where there is none yet
    upload: str | None
    another: str  # the address of another image; empty where there is none
    checkpoint: str
    json: str
    waits: bool


@dataclass(frozen=True)
class Explore:
    """The scan that the next step leads to."""

    href: str
    title: str
    size: str
    bench: str  # the counting bench of its checkpoint; empty where that does not count


@dataclass(frozen=True)
class HomeStat:
    label: str
    value: str
    href: str


@dataclass(frozen=True)
class GalleryLine:
    href: str
    name: str
    cover: str  # the address of its first thumbnail; empty without images
    note: str
    made: Markup


@dataclass(frozen=True)
class CheckpointLine:
    href: str
    name: str
    note: str
    filters: str
    bench: str
    made: Markup


@dataclass(frozen=True)
class ScanLine:
    href: str
    name: str
    note: str
    made: Markup


@dataclass(frozen=True)
class HomeJob:
    href: str
    name: str
    output: str
    runs: bool
    share: float | None
    label: str
    state: str
    made: Markup


@dataclass(frozen=True)
class HomeContext(PageContext):
    """The first screen; `head` and `panels` are None if there is no network that counts, or no photo.

    `step` names the next step, `unscanned` is the scan that it suggests, `explore` the scan that it leads to. `others`
    are the (slug, name) of other checkpoints to compare with.
    """

    template: ClassVar[str] = "home.html"
    head: LookHead | None
    panels: Panels | None
    others: Sequence[tuple[str, str]]
    step: NextStep
    newest: str  # the gallery to train on
    unscanned: ScanForm | None
    explore: Explore | None
    stats: Sequence[HomeStat]
    galleries: Sequence[GalleryLine]
    checkpoints: Sequence[CheckpointLine]
    scans: Sequence[ScanLine]
    jobs: Sequence[HomeJob]


def home_context(
    overview: WorkspaceOverview, look: FirstLook | None, others: Sequence[tuple[str, str]], settings: Settings
) -> HomeContext:
    """The whole page."""
    pair = overview.unscanned
    return HomeContext(
        head=None if look is None else _head(look, settings),
        panels=None if look is None else panels(look),
        others=others,
        step=overview.next_step,
        newest=overview.galleries[0].name if overview.galleries else "",
        unscanned=None if pair is None else ScanForm(pair.checkpoint, pair.gallery),
        explore=_explore(overview, look, settings) if overview.next_step == "explore" else None,
        stats=_stats(overview, settings),
        galleries=[_gallery(item, settings) for item in overview.galleries],
        checkpoints=[_checkpoint(item, settings) for item in overview.checkpoints],
        scans=[_scan(item, settings) for item in overview.scans],
        jobs=[_job(job, settings) for job in overview.jobs],
    )


def _head(look: FirstLook, settings: Settings) -> LookHead:
    on = look.stage
    what = "Your photo" if look.params.upload else on.gallery.name
    return LookHead(
        title=f"{what}, seen by {on.checkpoint.name}",
        making=_scan_making(look, settings),
        scans=on.scans,
        scan="" if on.scan is None else on.scan.slug,
        upload=look.params.upload,
        another=look.link(image=look.params.image + 1, row=None, upload=None) if look.subject else "",
        checkpoint=on.checkpoint.slug,
        json=settings.url("/api") + look.link().removeprefix(settings.url("/")),
        waits=look.waits,
    )


def _scan_making(look: FirstLook, settings: Settings) -> ScanMaking | None:
    scan, job = look.stage.scan, look.stage.making
    if scan is None or job is None:
        return None
    seen = view(job)
    return ScanMaking(
        rows=count(scan.rows, "image"),
        title=seen.title,
        href=settings.url(f"/jobs/{job.id}"),
        state=job.state,
        share="" if seen.share is None else percent(seen.share),
    )


def _explore(overview: WorkspaceOverview, look: FirstLook | None, settings: Settings) -> Explore:
    """The scan on the first screen, else the newest."""
    shown = None if look is None else look.stage.scan
    scan, layers = (overview.scans[0], overview.scans[0].layers) if shown is None else (shown, len(shown.layers))
    counts = {item.slug for item in overview.checkpoints if item.task == COUNTING}
    return Explore(
        href=settings.url(f"/scans/{scan.slug}"),
        title=f"{scan.checkpoint} over {scan.gallery}",
        size=f"{count(layers, 'layer')}, {count(scan.rows, 'image')}",
        bench=settings.url(f"/checkpoints/{scan.checkpoint}/count") if scan.checkpoint in counts else "",
    )


def _stats(overview: WorkspaceOverview, settings: Settings) -> list[HomeStat]:
    kinds = [
        HomeStat(kind.capitalize(), number(overview.counts[kind]), settings.url(f"/{kind}"))
        for kind in ("galleries", "checkpoints", "scans")
    ]
    return [*kinds, HomeStat("Jobs running or waiting", number(overview.unfinished), settings.url("/jobs"))]


def _gallery(item: GalleryItem, settings: Settings) -> GalleryLine:
    size = count(item.rows, "image") if item.rows else "no images yet"
    return GalleryLine(
        href=settings.url(f"/galleries/{item.slug}"),
        name=item.name,
        cover=settings.url(f"/api/galleries/{item.slug}/images/0/thumbnail") if item.rows else "",
        note=f"{size} · {number(item.skipped)} skipped" if item.skipped else size,
        made=ago(item.created_at),
    )


def _checkpoint(item: CheckpointItem, settings: Settings) -> CheckpointLine:
    here = settings.url(f"/checkpoints/{item.slug}")
    return CheckpointLine(
        href=here,
        name=item.name,
        note=f"{item.architecture} · {item.task}" if item.task else item.architecture,
        filters=f"{here}/filters" if item.has_filters else "",
        bench=f"{here}/count" if item.task == COUNTING else "",
        made=ago(item.created_at),
    )


def _scan(item: ScanItem, settings: Settings) -> ScanLine:
    return ScanLine(
        href=settings.url(f"/scans/{item.slug}"),
        name=f"{item.checkpoint} over {item.gallery}",
        note=f"{count(item.layers, 'layer')} · {count(item.rows, 'image')}",
        made=ago(item.created_at),
    )


def _job(job: JobRecord, settings: Settings) -> HomeJob:
    return HomeJob(
        href=settings.url(f"/jobs/{job.id}"),
        name=f"{job.kind} #{job.id}",
        output="" if job.output is None else job.output.slug,
        runs=job.state == "running",
        share=view(job).share,
        label=f"Progress of job {job.id}",
        state=job.state,
        made=ago(job.created_at),
    )
