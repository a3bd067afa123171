"""Checks the submission of an export: the checkpoint and the file format."""

from importlib.util import find_spec
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.failures import BadQuery, Conflict
from app.services.jobs.submissions.inputs import (
    card_of,
    checkpoint_input,
    must_be_network,
    prepared_from,
    validated,
)
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from models.checkpoints.exports import Format, path_of

NEEDED = ("onnx", "onnxruntime", "onnxscript")  # packages of the extra `onnx`


class ExportSpec(BaseModel):
    """The settings of an export."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = Field(min_length=1, max_length=200)
    format: Format


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> PreparedJob:  # noqa: ARG001 - the kinds' interface
    """Check the spec of an export. Raises BadQuery, NotFound, Conflict."""
    asked = validated(ExportSpec, spec)
    with store.read() as session:
        checkpoint = checkpoint_input(session, asked.checkpoint)
    if asked.format == "onnx" and (missing := [name for name in NEEDED if find_spec(name) is None]):
        names = ", ".join(missing)
        message = f"Writing ONNX needs the packages {names}: install tessera-workbench[onnx], then start Tessera again."
        raise BadQuery("onnx_missing", message)
    folder = store.path(checkpoint.folder)
    card = card_of(store, checkpoint)
    must_be_network(card, f"write as {asked.format}")
    if card is not None and card.filters_only and asked.format != "pth":
        message = f"Of {card.name} only the first filters are known: there is no network to write as {asked.format}."
        raise Conflict("filters_only", message)
    described = path_of(folder, asked.format).relative_to(folder)
    path = f"{checkpoint.folder}/{described}"
    return prepared_from({"checkpoint": checkpoint}, asked, slug=asked.checkpoint, path=path, keep_slug=True)
