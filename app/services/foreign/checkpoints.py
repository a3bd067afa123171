"""Makes checkpoints of the workspace from inspected foreign files; the inspector converts the weights."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.failures import BadQuery
from app.services.checkpoints.service import CheckpointRecord, CheckpointsService
from app.services.foreign.inspections import InspectionRecord, InspectionsService
from app.settings import Settings
from models.card import WEIGHTS, Preprocess


@dataclass(frozen=True)
class NewCheckpoint:
    """The choices for a checkpoint from an inspected file; where one is None, the inspection's first guess is taken.

    `preprocess` is the name of one of the preparations that the report offers, or all fields of a `Preprocess`.
    """

    inspection: str
    candidate: str | None = None
    architecture: str | None = None
    preprocess: str | Mapping[str, Any] | None = None
    name: str | None = None
    accept_non_finite: bool = False


@dataclass(frozen=True)
class Added:
    """The checkpoint, and whether it is new; the same weights with the same preprocessing are one checkpoint."""

    checkpoint: CheckpointRecord
    created: bool


class ForeignCheckpoints:
    """Converts inspected weights and registers them as checkpoints."""

    def __init__(self, settings: Settings, checkpoints: CheckpointsService, inspections: InspectionsService) -> None:
        self._settings = settings
        self._checkpoints = checkpoints
        self._inspections = inspections

    def add(self, new: NewCheckpoint) -> Added:
        """Convert and register; nothing is registered unless every tensor fits.

        Raises NotFound for an inspection that is not kept, Conflict where the file is gone or has changed, BadQuery
        where a choice is missing or wrong, tensors do not fit, or are not finite.
        """
        record = self._inspections.open(new.inspection)
        candidate = _candidate(record, new.candidate)
        with tempfile.TemporaryDirectory(dir=self._settings.workspace, prefix=".convert.", suffix=".tmp") as folder:
            made = self._inspections.inspector.ask(
                "convert",
                record.source,
                inspection=record.inspection.as_json(),
                candidate=candidate,
                architecture=new.architecture,
                library=record.published,
                preprocess=new.preprocess
                if new.preprocess is None or isinstance(new.preprocess, str)
                else dict(new.preprocess),
                name=(new.name or "").strip() or suggested_name(record, candidate),
                file=record.name,
                folder=folder,
                accept_non_finite=new.accept_non_finite,
            )
            known = self._checkpoints.with_weights(str(made["sha256"]))
            if known is not None:
                return Added(known, created=False)
            return Added(self._checkpoints.register_folder(Path(folder)), created=True)

    def reprepare(self, checkpoint: str, preprocess: Preprocess, *, name: str | None = None) -> Added:
        """Register the weights of a checkpoint with another preprocessing, which makes another checkpoint.

        Raises NotFound, Conflict where its files have changed, BadQuery where the preprocessing is not possible.
        """
        record = self._checkpoints.get(checkpoint)
        with tempfile.TemporaryDirectory(dir=self._settings.workspace, prefix=".convert.", suffix=".tmp") as folder:
            made = self._inspections.inspector.ask(
                "reprepare",
                record.folder / WEIGHTS,
                preprocess=asdict(preprocess),
                folder=folder,
                name=(name or "").strip() or f"{record.name[:80]} prepared otherwise",
            )
            known = self._checkpoints.with_weights(str(made["sha256"]))
            if known is not None:
                return Added(known, created=False)
            return Added(self._checkpoints.register_folder(Path(folder)), created=True)


def _candidate(record: InspectionRecord, wanted: str | None) -> str:
    """The name of the wanted weights. Raises BadQuery for an unknown one, and where several exist and none is named."""
    found = record.inspection
    names = [it.name for it in found.candidates]
    if wanted is not None:
        if wanted not in names:
            raise BadQuery("unknown_candidate", f"The file has no weights {wanted[:80]!r}; {_there_are(names)}.")
        return wanted
    plausible = [it.name for it in found.plausible]
    if len(plausible) > 1:
        message = f"The file has several sets of weights; choose one as `candidate`: {', '.join(plausible[:10])}."
        raise BadQuery("which_weights", message, {"candidates": plausible})
    return plausible[0]


def _there_are(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"there are {', '.join(names[:10])}{more}"


ENDINGS = (
    ".safetensors",
    ".pth.tar",
    ".pth",
    ".pt",
    ".torch",
    ".ckpt",
    ".bin",
    ".th",
    ".npz",
    ".npy",
    ".caffemodel",
    ".tar",
)


def suggested_name(record: InspectionRecord, candidate: str) -> str:
    """The file's name without its ending, followed by the candidate where the file has several."""
    stem = next((record.name[: -len(it)] for it in ENDINGS if record.name.lower().endswith(it)), record.name)
    which = told_apart(candidate, [it.name for it in record.inspection.plausible])
    return f"{stem} {which}"[:100] if which else stem[:100] or "weights"


def told_apart(name: str, names: Sequence[str]) -> str:
    """The parts of a name that tell it from the other names: `teacher` for teacher/backbone beside student/backbone."""
    if len(names) < 2:
        return ""
    shared = set.intersection(*(set(it.split("/")) for it in names))
    return " ".join(part for part in name.split("/") if part not in shared) or name.rpartition("/")[2]
