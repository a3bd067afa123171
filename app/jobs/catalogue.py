"""The catalogue of the kinds of job, one value each: its modules, its lane, its title and its artefact.

A new kind needs one entry here and the two modules that the entry names. Job processes, the supervisor and the server
all import this file, so it imports neither torch nor the database.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.jobs.spec import Output
from models.counting.labs import lab

Lane = Literal["device", "light"]
Spec = Mapping[str, Any]
Title = Callable[[Spec], str]
Page = Callable[[Output], str]
Table = Literal["gallery", "checkpoint", "scan", "clustering"]

RUNS, SUBMITS = "app.jobs.kinds.", "app.services.jobs.submissions."


@dataclass(frozen=True)
class InPlace:
    """An artefact that has no row in the database and is read from its file.

    The file must be JSON with the key `says`; where that is None, it only has to exist. `file` is its name where the
    job's output is a folder.
    """

    says: str | None = None
    file: str | None = None


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """What a kind of job makes; `registers` is the table that gets a row, or InPlace where there is none.

    `page` gives the address of its page, which exists once the job is done, or with `early` as soon as it is queued.
    """

    name: str
    registers: Table | InPlace
    page: Page
    early: bool = False


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of job.

    `module` has the function `run(job)` and is imported only by the job's process; `submission` has the function
    `prepare(store, settings, spec)` and is imported only by the services. `title` makes the job's title from its spec.
    """

    name: str
    module: str
    submission: str
    lane: Lane
    title: Title
    makes: Artefact


def artefact(name: str) -> Artefact | None:
    """The artefact of that name; None where no kind of job makes it."""
    return next((kind.makes for kind in KINDS.values() if kind.makes.name == name), None)


def _on(what: str) -> Title:
    """Titles such as `Evaluation of net on photos`."""
    return lambda spec: f"{what} of {spec.get('checkpoint')} on {spec.get('gallery')}"


def _import_title(spec: Spec) -> str:
    return f"Import of {spec.get('name') or spec.get('gallery')}"


def _train_title(spec: Spec) -> str:
    """The task and the gallery; for a lab that breaks counting on purpose also the recipe."""
    title = f"Training of {spec.get('task', 'a network')} on {spec.get('gallery')}"
    recipe = spec.get("recipe")
    return f"{title}, recipe {recipe}" if isinstance(recipe, str) and lab(recipe) is not None else title


def _scan_title(spec: Spec) -> str:
    return f"Scan of {spec.get('gallery')} with {spec.get('checkpoint')}"


def _cluster_title(spec: Spec) -> str:
    """The layer and scan that are clustered, and the number of clusters or the centres that are used."""
    what = f"{spec.get('layer')} of {spec.get('scan')}"
    if spec.get("centres"):
        return f"Pseudo-labels for {what} from {spec['centres']}"
    kind = "random groups" if spec.get("method") == "random" else "clusters"
    return f"{spec.get('k')} {kind} of {what}"


def _export_title(spec: Spec) -> str:
    return f"Export of {spec.get('checkpoint')} as {spec.get('format')}"


def _below(address: str) -> Page:
    """Pages with the artefact's slug below an address."""
    return lambda output: f"{address}/{output.slug}"


def _results(output: Output) -> str:
    """The page of the probe's table; the path of the output is `probes/<gallery>/<protocol>/<checkpoint>`."""
    _, gallery, protocol, _ = output.path.split("/")
    return f"/results?gallery={gallery}&protocol={protocol}"


def _beside_a_checkpoint(name: str, registers: InPlace) -> Artefact:
    """A file in a checkpoint's folder, shown on the checkpoint's page."""
    return Artefact(name=name, registers=registers, page=_below("/checkpoints"))


_ALL = (
    Kind(
        name="import",
        module=RUNS + "import_images",
        submission=SUBMITS + "import_images",
        lane="light",
        title=_import_title,
        makes=Artefact(name="gallery", registers="gallery", page=_below("/galleries"), early=True),
    ),
    Kind(
        name="train",
        module=RUNS + "train",
        submission=SUBMITS + "train",
        lane="device",
        title=_train_title,
        makes=Artefact(name="checkpoint", registers="checkpoint", page=_below("/checkpoints")),
    ),
    Kind(
        name="scan",
        module=RUNS + "scan",
        submission=SUBMITS + "scan",
        lane="device",
        title=_scan_title,
        makes=Artefact(name="scan", registers="scan", page=_below("/scans")),
    ),
    Kind(
        name="cluster",
        module=RUNS + "cluster",
        submission=SUBMITS + "cluster",
        lane="device",
        title=_cluster_title,
        makes=Artefact(name="clustering", registers="clustering", page=_below("/clusters")),
    ),
    Kind(
        name="export",
        module=RUNS + "export",
        submission=SUBMITS + "export",
        lane="light",
        title=_export_title,
        makes=_beside_a_checkpoint("export", InPlace(says="sha256")),
    ),
    Kind(
        name="evaluate",
        module=RUNS + "evaluate",
        submission=SUBMITS + "evaluate",
        lane="device",
        title=_on("Evaluation"),
        makes=_beside_a_checkpoint("evaluation", InPlace(says="measures")),
    ),
    Kind(
        name="probe",
        module=RUNS + "probe",
        submission=SUBMITS + "probe",
        lane="device",
        title=_on("Probe"),
        makes=Artefact(name="probe", registers=InPlace(says="layers", file="probe.json"), page=_results),
    ),
    Kind(
        name="readout",
        module=RUNS + "readout",
        submission=SUBMITS + "readout",
        lane="device",
        title=_on("Readout"),
        makes=_beside_a_checkpoint("readout", InPlace(says="weights")),
    ),
    Kind(
        name="sanity",
        module=RUNS + "sanity",
        submission=SUBMITS + "sanity",
        lane="device",
        title=_on("Sanity"),
        makes=_beside_a_checkpoint("sanity", InPlace(says="variants")),
    ),
    Kind(
        name="timeline",
        module=RUNS + "timeline",
        submission=SUBMITS + "timeline",
        lane="device",
        title=_on("Growth"),
        makes=_beside_a_checkpoint("timeline", InPlace()),
    ),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
