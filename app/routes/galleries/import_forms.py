"""The forms that import images, the result of looking at a folder first, and jobs of a gallery, as pages show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from app.jobs.records import JobRecord
from app.routes.galleries.import_preview import Looked
from app.routes.galleries.view import roots_note
from app.services.galleries.import_preview import Preview, Unread
from app.settings import Settings
from app.web.formats import count, duration, file_size, number

LABELS = (
    ("auto", "parent folder, where there are several"),
    ("folders", "always the parent folder"),
    ("none", "none"),
)
SPLITS = (("both", "train and test in turn"), ("train", "train only"), ("test", "test only"))
SENT_ON = ("kind", "path", "labels", "name")  # fields of the form that an import keeps after a look at the folder
NAMED = 6  # classes, splits and columns that a preview names
REASONS = {
    "no_image": "no images",
    "hidden": "hidden: the name begins with a dot",
    "system_folder": "folders of a NAS or an operating system",
    "outside_root": "leads out of the folders that may be imported from",
    "missing": "not there",
    "no_permission": "may not be read",
    "bad_row": "rows that cannot be understood",
}
STOPPED = ("failed", "cancelled", "blocked")


@dataclass(frozen=True)
class ImportForms:
    """All import forms, filled in as they were sent; `naming`: they make a new gallery, which needs a name."""

    action: str
    naming: bool
    roots: str
    open: str  # the kind of source whose form is open
    labels: str
    label_choices: Sequence[tuple[str, str]]
    folder_path: str
    folder_name: str
    manifest_path: str
    manifest_name: str
    upload_name: str
    countables_name: str
    scenes: str
    sweeps: bool
    split: str
    split_choices: Sequence[tuple[str, str]]
    seed: str
    sample_name: str


@dataclass(frozen=True)
class PreviewStat:
    label: str
    value: str
    note: str


@dataclass(frozen=True)
class ImportPreview:
    """What an import of a folder would bring, and the form that begins it with the same `fields`.

    `whole`: the folder was listed to its end; `fits`: the disk has room for it. `unread` are files of the sample that
    cannot be read. `preferred` is the checkpoint that is chosen for the scan afterwards.
    """

    path: str
    note: str
    pictures: Sequence[str]
    stats: Sequence[PreviewStat]
    whole: bool
    fits: bool
    unread_title: str
    unread: Sequence[Unread]
    left_out_title: str
    left_out: Sequence[tuple[str, str]]  # reason with its number, and some paths
    images: int
    action: str
    fields: Sequence[tuple[str, str]]
    checkpoints: Sequence[tuple[str, str]]  # slug and name
    preferred: str | None


@dataclass(frozen=True)
class GalleryJob:
    """A job that works on a gallery; `words` say how far it is, `stopped` why it goes no further.

    `by` names the checkpoint of a scan, `then` says what happens at the end, `share` is the part that is done (0 to 1).
    """

    title: str
    href: str
    data: str  # the address of the job under /api
    state: str
    by: str
    words: str
    runs: bool
    share: float | None
    label: str
    then: str
    stopped: str
    tone: str


def import_forms(action: str, given: Mapping[str, str], settings: Settings, *, naming: bool) -> ImportForms:
    """The forms that are sent to `action`; `given` are the fields of the one that was sent last."""

    def of(kind: str, name: str, otherwise: str = "") -> str:
        return given.get(name, "") if given.get("kind") == kind else otherwise

    return ImportForms(
        action=action,
        naming=naming,
        roots=roots_note(settings),
        open=given.get("kind", "folder" if naming else ""),
        labels=given.get("labels", ""),
        label_choices=LABELS,
        folder_path=of("folder", "path"),
        folder_name=of("folder", "name"),
        manifest_path=of("manifest", "path"),
        manifest_name=of("manifest", "name"),
        upload_name=of("upload", "name"),
        countables_name=of("countables", "name", "countables"),
        scenes=given.get("scenes", "1400"),
        sweeps=given.get("sweeps") != "false",
        split=given.get("split", ""),
        split_choices=SPLITS,
        seed=given.get("seed", "0"),
        sample_name=of("sample", "name", "sample-photos"),
    )


def import_preview(looked: Looked, given: Mapping[str, str], action: str) -> ImportPreview:
    """What was found in the folder or manifest that the form `given` names."""
    found = looked.preview
    read = f"{count(found.sampled, 'file')} read as a sample, spread over all of them"
    return ImportPreview(
        path=given["path"],
        note=read if found.sampled else "nothing was read",
        pictures=found.pictures,
        stats=_stats(found, looked.scan_bytes),
        whole=found.whole,
        fits=found.fits,
        unread_title=f"{count(found.unread_count, 'unreadable file')} in the sample",
        unread=found.unread,
        left_out_title=f"{number(sum(one.count for one in found.left_out))} left out",
        left_out=[
            (f"{REASONS.get(one.reason, one.reason)}: {number(one.count)}", ", ".join(one.examples))
            for one in found.left_out
        ],
        images=found.images,
        action=action,
        fields=[(name, given[name]) for name in SENT_ON if given.get(name)],
        checkpoints=looked.checkpoints,
        preferred=looked.preferred,
    )


def _stats(found: Preview, scan_bytes: int | None) -> list[PreviewStat]:
    more = "" if found.whole else "more than "
    scan = f"; a scan takes {file_size(scan_bytes)} more" if scan_bytes else ""
    rate = f"{number(found.rate, 2)} images/s, measured on the sample" if found.rate else "not measured"
    source = f"{file_size(found.source_bytes)} in {count(found.folders, 'folder')}"
    return [
        PreviewStat("Images", f"{more}{number(found.images)}", source),
        PreviewStat("Disk needed", file_size(found.disk), f"{file_size(found.free)} free{scan}"),
        PreviewStat("Time to import", duration(found.seconds), rate),
        PreviewStat("Unreadable", f"{number(found.unread_count)} of {found.sampled}", "of the sample"),
        _facet("Labels", "class", "classes", found.labels),
        _facet("Splits", "split", "splits", found.splits),
        *_columns(found),
    ]


def _facet(title: str, one: str, several: str, counts: Mapping[str, int]) -> PreviewStat:
    """How many classes or splits the images will have, and the largest of them."""
    named = ", ".join(f"{name} {number(images)}" for name, images in islice(counts.items(), NAMED))
    more = ", …" if len(counts) > NAMED else ""
    return PreviewStat(title, count(len(counts), one, several) if counts else "none", named + more)


def _columns(found: Preview) -> list[PreviewStat]:
    if found.columns is None:
        return []
    ignored = ", ".join(found.columns.ignored[:NAMED])
    repeated = f"; {count(found.repeated, 'row')} repeat a path" if found.repeated else ""
    used = ", ".join(found.columns.used)
    return [PreviewStat("Columns used", used, (f"ignored: {ignored}" if ignored else "none is ignored") + repeated)]


def import_job(job: JobRecord, settings: Settings) -> GalleryJob:
    """What the latest import is doing, or why it ended badly."""
    why = f" {job.error.message}" if job.error else ""
    return _gallery_job(
        job,
        settings,
        what="Import",
        begins="lists the images",
        then="They appear here when it is done.",
        stopped=f"The import is {job.state}.{why}" if job.state in STOPPED else "",
    )


def scan_job(job: JobRecord, settings: Settings) -> GalleryJob:
    """The scan of the gallery that is running or waiting."""
    then = "Its units and neighbours are linked here when it is done."
    by = str(job.spec.get("checkpoint"))
    return _gallery_job(job, settings, what="Scan", begins="loads the network", then=then, by=by)


def _gallery_job(
    job: JobRecord, settings: Settings, *, what: str, begins: str, then: str, by: str = "", stopped: str = ""
) -> GalleryJob:
    total, step = job.progress.get("total"), job.progress.get("step") or 0
    words = f"{number(step)} of {number(total)} images" if total else begins
    return GalleryJob(
        title=f"{what} {job.id}",
        href=settings.url(f"/jobs/{job.id}"),
        data=settings.url(f"/api/jobs/{job.id}"),
        state=job.state,
        by=f"by {by} " if by else "",
        words="waits for its turn" if job.state == "queued" else words,
        runs=job.state != "queued",
        share=step / total if total else None,
        label=what,
        then=then,
        stopped=stopped,
        tone="bad" if job.state == "failed" else "warn",
    )
