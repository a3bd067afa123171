"""The work of the commands: submit and watch jobs, import, search, count, list."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from pydantic import ValidationError

from app.console import terminal
from app.console.foreground import END_STATES, follow, opened, predicting, progress_of, supervised
from app.failures import BadQuery, NotFound
from app.jobs.records import JobRecord
from app.known_errors import known_error
from app.services.counting.service import Kernel
from app.services.jobs.submissions.import_images import NewGallery
from app.services.search.service import NEIGHBOURS, SearchOptions
from app.services.services import Services
from app.settings import Settings
from models.search.index import Metric

Enter = Callable[[Services], tuple[JobRecord, bool]]

FAILED = 1  # exit status
STOPPED = 130  # exit status after Ctrl-C
MANIFESTS = (".csv", ".tsv", ".parquet", ".pq")


def explain(error: Exception) -> str | None:
    """The failure in one line; None where it is a defect of the program."""
    if (known := known_error(error)) is not None:
        return known.message
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        return f"{f'TESSERA_{name.upper()}' if error.title == 'Settings' else name}: {first['msg']}"
    if type(error).__name__ == "SchemaTooNew":
        return str(error)
    return None


class Where(NamedTuple):
    """A source of images, the folder that has to be readable (None for none), and a name for the gallery."""

    source: Mapping[str, Any]
    root: Path | None
    name: str


def import_images(
    settings: Settings, where: Where, *, name: str | None, to: str | None, detach: bool, as_json: bool
) -> int:
    """Make a gallery, or add to one, from a folder, a manifest, the built-in sample or generated scenes."""
    if where.root is not None:  # TESSERA_ROOTS limits only requests to the server
        settings = settings.model_copy(update={"roots": (*settings.roots, where.root)})
    new = NewGallery.model_validate({"name": name or where.name, "source": where.source})

    def enter(services: Services) -> tuple[JobRecord, bool]:
        galleries = services.galleries
        submitted = galleries.create(new) if to is None else galleries.add(to, new.source)
        return submitted.job, submitted.created

    return _run(settings, enter, detach=detach, as_json=as_json)


def where(source: str, *, labels: str, changes: Sequence[str] = ()) -> Where:
    """The source that a text names: `sample`, `countables`, or the path of a folder or manifest. Raises BadQuery."""
    if source == "sample":
        return Where({"kind": "sample"}, None, "sample-photos")
    if source == "countables":
        return Where({"kind": "countables"} | overrides(changes), None, "countables")
    path = Path(source).expanduser().resolve()
    if path.is_dir():
        return Where({"kind": "folder", "path": str(path), "labels": labels}, path, path.name)
    if path.is_file() and path.suffix.lower() in MANIFESTS:
        return Where({"kind": "manifest", "path": str(path)}, path.parent, path.stem)
    if not path.exists():
        raise NotFound("no_source", f"There is no folder and no file {source}.")
    raise BadQuery("not_a_source", f"{source} is neither a folder nor a manifest ({', '.join(MANIFESTS)}).")


def overrides(pairs: Sequence[str]) -> dict[str, Any]:
    """Settings such as `steps=500` as a mapping; values are JSON where they can be, else text. Raises BadQuery."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise BadQuery("bad_setting", f"Write a setting as name=value, not {pair!r}.")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def submit(settings: Settings, kind: str, spec: Mapping[str, Any], *, again: bool, detach: bool, as_json: bool) -> int:
    """Submit a job and watch it until its end; returns the exit status, 0 where it is done or was only submitted."""
    return _run(settings, lambda services: services.jobs.submit(kind, spec, again), detach=detach, as_json=as_json)


def _run(settings: Settings, enter: Enter, *, detach: bool, as_json: bool) -> int:
    with opened(settings) as services:
        job, created = enter(services)
        if not as_json:
            terminal.say(f"job {job.id} ({job.kind}): {'submitted' if created else 'the same was submitted before'}")
        if detach or job.state in END_STATES:
            return _report(services, job, as_json=as_json, ended=not detach)
        return _watch(services, job, as_json=as_json)


def _watch(services: Services, job: JobRecord, *, as_json: bool) -> int:
    try:
        with supervised(services.settings), terminal.bar(f"job {job.id}", quiet=as_json) as show:
            job = follow(services, job.id, show)
    except KeyboardInterrupt:
        when = "goes on in the server" if services.jobs.supervised else "goes on when a server or `tessera worker` runs"
        terminal.complain(f"left: job {job.id} {when}")
        return STOPPED
    return _report(services, job, as_json=as_json, ended=True)


def _report(services: Services, job: JobRecord, *, as_json: bool, ended: bool) -> int:
    if as_json:
        terminal.data(_job_json(services, job))
    elif ended:
        made = f": {job.output.kind} {job.output.slug}" if job.state == "done" and job.output else ""
        why = f": {job.error.message}" if job.error else ""
        far = f", {share}" if job.state not in END_STATES and (share := _share(job)) else ""
        terminal.say(f"job {job.id} is {job.state}{far}{made}{why}")
        if job.state == "done" and job.output and job.output.kind == "gallery":
            _tell_gallery(services, job.output.slug)
    return FAILED if ended and job.state != "done" else 0


def _tell_gallery(services: Services, slug: str) -> None:
    """Print how many images a gallery has, how many files were left out, and why the first of them was."""
    gallery = services.galleries.get(slug)
    terminal.say(f"{gallery.rows:,} images, {gallery.skipped:,} files left out")
    for item in services.galleries.skipped(slug, limit=1).files:
        terminal.say(f"the first was {item.path}: {item.message}")


def _job_json(services: Services, job: JobRecord) -> dict[str, Any]:
    from app.routes.jobs.routes import job_json

    return cast(dict[str, Any], job_json(job, services.settings))


def list_jobs(settings: Settings, *, limit: int, as_json: bool) -> None:
    """Print the newest jobs."""
    with opened(settings) as services:
        found = services.jobs.list(limit=limit).jobs
        if as_json:
            terminal.data([_job_json(services, job) for job in found])
        elif found:
            terminal.table(("id", "kind", "state", "progress", "made", "started"), [_line(job) for job in found])
        else:
            terminal.say("no jobs yet")


def _share(job: JobRecord) -> str:
    progress = progress_of(job)
    return f"{progress.step}/{progress.total} {progress.unit}" if progress.total else ""


def _line(job: JobRecord) -> tuple[object, ...]:
    started = job.started_at.astimezone().strftime("%Y-%m-%d %H:%M") if job.started_at else "-"
    return job.id, job.kind, job.state, _share(job), job.output.slug if job.output else "", started


def show_job(settings: Settings, number: int, *, follow: bool, cancel: bool, resume: bool, as_json: bool) -> None:
    """Print one job, or watch it; before that cancel it or queue it again where asked."""
    with opened(settings) as services:
        job = services.jobs.get(number)
        if cancel:
            job = services.jobs.cancel(number)
        if resume:
            job = services.jobs.resume(number)
        if follow and job.state not in END_STATES:
            _watch(services, job, as_json=as_json)
        else:
            _report(services, job, as_json=as_json, ended=True)


def show_neighbours(
    settings: Settings,
    scan: str,
    image: Path | None,
    row: int | None,
    *,
    layer: str | None,
    k: int | None,
    metric: str,
    as_json: bool,
) -> None:
    """Print the nearest neighbours of a file, for which a predictor is started, or of a row, which needs none."""
    if metric not in ("l2", "cosine"):
        raise BadQuery("bad_metric", f"The metric is l2 or cosine, not {metric}.")
    asked = SearchOptions(layer=layer, k=NEIGHBOURS if k is None else k, metric=cast(Metric, metric))
    with opened(settings) if image is None else predicting(settings, lambda it: it.scans.open(scan)) as services:
        if row is not None:
            found = services.search.by_row(services.scans.open(scan), row, asked)
        else:
            assert image is not None
            sent = services.uploads.read(image.read_bytes())
            found = services.search.by_image(services.scans.open(scan), sent.jpeg, asked)
        if as_json:
            from app.routes.search.routes import found_json

            terminal.data(found_json(scan, found, settings))
            return
        images = services.galleries.pack(found.gallery).metadata(found.rows)
        terminal.say(f"{found.layer}, {found.metric}")
        lines = zip(found.rows, found.distances, images, strict=True)
        terminal.table(
            ("row", "distance", "label", "path"), [(r, f"{d:.4f}", i.label or "", i.path) for r, d, i in lines]
        )


def show_count(settings: Settings, checkpoint: str, image: Path, *, kernel: str, as_json: bool) -> None:
    """Print both sides of the counting equation for an image file."""
    if kernel not in ("area", "linear", "cubic", "lanczos"):
        raise BadQuery("bad_kernel", f"The kernel is area, linear, cubic or lanczos, not {kernel}.")
    with predicting(settings, lambda it: it.checkpoints.open(checkpoint)) as services:
        query = services.uploads.read(image.read_bytes())
        counted = services.counting.count(services.checkpoints.open(checkpoint), query, kernel=cast(Kernel, kernel))
        if as_json:
            from app.routes.counting.shapes import counted_json

            terminal.data(counted_json(checkpoint, counted, settings))
            return
        answer = counted.answer
        units = sorted(counted.active, key=lambda unit: -float(answer.whole[unit]))
        rows = [
            (
                unit,
                f"{answer.whole[unit]:.3f}",
                *(f"{tile[unit]:.3f}" for tile in answer.tiles),
                f"{answer.total[unit]:.3f}",
            )
            for unit in units
        ]
        terminal.table(("unit", "whole", "top left", "top right", "bottom left", "bottom right", "sum"), rows)
        totals = f"total {counted.whole_total:.3f} whole, {counted.tiles_total:.3f} in tiles"
        terminal.say(f"{totals}; residual {counted.residual:.3f}")
        for warning in counted.warnings:
            terminal.say(f"note: {warning}")
