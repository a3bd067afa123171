"""The command `tessera checkpoint add`: inspects a foreign file, says what is in it, and registers it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.console import terminal
from app.console.foreground import opened
from app.failures import BadQuery, NotFound
from app.services.foreign.checkpoints import NewCheckpoint
from app.services.foreign.inspections import InspectionRecord
from app.services.foreign.library_files import FOLDER
from app.services.services import Services
from app.settings import Settings
from models.card import FILTERS_ONLY
from models.foreign.published_names import is_library_name

DOUBTS = 5  # how many are printed


def add_checkpoint(settings: Settings, file: Path, new: NewCheckpoint, *, look: bool, as_json: bool) -> None:
    """Inspect a file and, unless `look`, register the weights chosen in it. Raises what the services raise.

    A name like torchvision:resnet50.IMAGENET1K_V2 means published weights, unless there is a file of that name.
    """
    published = is_library_name(str(file)) and not file.exists()
    place = file.expanduser().absolute()
    # TESSERA_ROOTS limits only requests to the server: who runs this command can read the file anyway.
    settings = settings.model_copy(update={"roots": (*settings.roots, place.resolve().parent)})
    with opened(settings) as services:
        try:
            record = _looked_up(services, str(file)) if published else services.inspections.look(str(place))
            if not as_json:
                _tell(record)
            if look:
                _tell_json(record, settings, as_json=as_json)
            else:
                _add(services, record, new, as_json=as_json)
        finally:
            services.inspections.inspector.close()


def _looked_up(services: Services, name: str) -> InspectionRecord:
    """Inspect published weights; where they cannot be downloaded, the error names the folder to put them into."""
    try:
        return services.inspections.look_up(name)
    except NotFound as error:
        if error.code != "not_fetched":
            raise
        place = services.settings.workspace / FOLDER
        raise NotFound(error.code, f"{error.message} That folder is {place}.", error.detail) from None


def _add(services: Services, record: InspectionRecord, new: NewCheckpoint, *, as_json: bool) -> None:
    chosen = NewCheckpoint(**{**vars(new), "inspection": record.id})
    try:
        added = services.foreign.add(chosen)
    except BadQuery as error:
        if error.code == "which_weights":
            raise BadQuery(error.code, error.message.replace("`candidate`", "--candidate"), error.detail) from None
        raise
    if as_json:
        from app.routes.checkpoints.routes import summary

        terminal.data({**summary(added.checkpoint, services.settings), "created": added.created})
    else:
        state = "registered" if added.created else "was registered before, with the same weights and preprocessing"
        terminal.say(f"checkpoint {added.checkpoint.slug}: {state}")


def _tell_json(record: InspectionRecord, settings: Settings, *, as_json: bool) -> None:
    if as_json:
        from app.routes.foreign.routes import inspection_json

        terminal.data(inspection_json(record, settings))


def _tell(record: InspectionRecord) -> None:
    found = record.inspection
    terminal.say(f"{record.name}: {found.format}, {found.bytes:,} bytes, sha256 {found.sha256[:12]}")
    rows = [(it.name, it.prefix or "", len(it.tensors), f"{it.parameters:,}") for it in found.candidates]
    terminal.table(("weights", "stripped", "tensors", "parameters"), rows)
    for name, report in record.reports.items():
        terminal.say(f"{name}: {report['sentence']}")
        _tell_doubts(report)
    for warning in found.warnings:
        terminal.say(f"note: {warning}")


def _tell_doubts(report: Mapping[str, Any]) -> None:
    for doubt in report["doubts"][:DOUBTS]:
        terminal.say(f"  {doubt['name']}: {doubt['what']}, {doubt['words']}")
    choices = report["guess"]["preprocess"]
    if choices and report["guess"]["architecture"] != FILTERS_ONLY:
        terminal.say(f"  assumed: {choices[0]['name']} ({choices[0]['reason']})")
