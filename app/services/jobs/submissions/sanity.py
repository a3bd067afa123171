"""Sanity checks as they are submitted: which checkpoint, on which gallery, how long for each preparation."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.failures import Conflict
from app.services.jobs.submissions.inputs import checkpoint_input, gallery_input, validated
from app.services.jobs.submissions.prepared import Prepared
from app.settings import Settings
from app.store.engine import Store
from models.card import NotACheckpoint, read_card
from models.sanity import report as sanity_report


class SanitySpec(BaseModel):
    """What a check can be told: `seconds` is what each preparation of the images may take, 64 to 500 of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = Field(min_length=1, max_length=200)
    gallery: str = Field(min_length=1, max_length=200)
    seconds: float = Field(15.0, ge=1.0, le=600.0)
    seed: int = Field(0, ge=0, le=2**32 - 1)


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> Prepared:  # noqa: ARG001 - the kinds' interface
    """Check the spec of a sanity check and fill in its defaults. Raises BadQuery, NotFound, Conflict."""
    asked = validated(SanitySpec, spec)
    with store.read() as session:
        checkpoint = checkpoint_input(session, asked.checkpoint)
        gallery = gallery_input(session, asked.gallery)
    if checkpoint.job is None:
        try:
            card = read_card(store.path(checkpoint.folder))
        except NotACheckpoint as error:
            raise Conflict(error.code, f"The checkpoint's files are damaged: {error}.") from error
        if card.filters_only:
            raise Conflict(
                "filters_only", f"Of {card.name} only the filters of the first layer are known: it cannot see images."
            )
    return Prepared(
        spec=asked.model_dump(mode="json"),
        slug=asked.checkpoint,
        path=f"{checkpoint.folder}/{sanity_report.FOLDER}/{asked.gallery}.json",
        inputs={"checkpoint": checkpoint.folder, "gallery": gallery.folder},
        needs=tuple(job for job in (checkpoint.job, gallery.job) if job is not None),
        fingerprints={"checkpoint": checkpoint.fingerprint, "gallery": gallery.fingerprint},
        keep_slug=True,
    )
