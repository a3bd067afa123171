"""Readouts as they are submitted: the checkpoint, the gallery whose things are named, how many scenes to fit on."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.failures import BadQuery, Conflict
from app.services.jobs.submissions.inputs import checkpoint_input, gallery_input, validated
from app.services.jobs.submissions.prepared import Prepared
from app.settings import Settings
from app.store.engine import Store
from models.card import NotACheckpoint, read_card
from models.counting import readouts


class ReadoutSpec(BaseModel):
    """What a readout can be told: `scenes` is how many labelled ones it is fitted on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = Field(min_length=1, max_length=200)
    gallery: str = Field(min_length=1, max_length=200)
    scenes: int = Field(400, ge=readouts.LEAST_FIT, le=10_000)
    seed: int = Field(0, ge=0, le=2**32 - 1)


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> Prepared:  # noqa: ARG001 - the kinds' interface
    """Check the spec of a readout and fill in its defaults. Raises BadQuery, NotFound, Conflict."""
    asked = validated(ReadoutSpec, spec)
    with store.read() as session:
        checkpoint = checkpoint_input(session, asked.checkpoint)
        gallery = gallery_input(session, asked.gallery)
    if checkpoint.job is None:
        try:
            card = read_card(store.path(checkpoint.folder))
        except NotACheckpoint as error:
            raise Conflict(error.code, f"The checkpoint's files are damaged: {error}.") from error
        if not card.has_counts:
            raise BadQuery("no_counts", "This checkpoint has no counting head, so there is nothing to read out.")
    return Prepared(
        spec=asked.model_dump(mode="json"),
        slug=asked.checkpoint,
        path=f"{checkpoint.folder}/{readouts.FOLDER}/{asked.gallery}.json",
        inputs={"checkpoint": checkpoint.folder, "gallery": gallery.folder},
        needs=tuple(job for job in (checkpoint.job, gallery.job) if job is not None),
        fingerprints={"checkpoint": checkpoint.fingerprint, "gallery": gallery.fingerprint},
        keep_slug=True,
    )
