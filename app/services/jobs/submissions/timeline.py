"""Timelines as they are submitted: the checkpoint, the gallery, and how many of its images are looked at."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.failures import BadQuery
from app.services.jobs.submissions.inputs import checkpoint_input, gallery_input, validated
from app.services.jobs.submissions.prepared import Prepared
from app.settings import Settings
from app.store.engine import Store
from models.scans import timelines
from models.training import snapshots


class TimelineSpec(BaseModel):
    """What a timeline can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = Field(min_length=1, max_length=200)
    gallery: str = Field(min_length=1, max_length=200)
    images: int = Field(400, ge=timelines.TOP, le=10_000)


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> Prepared:  # noqa: ARG001 - the kinds' interface
    """Check the spec of a timeline and fill in its defaults. Raises BadQuery, NotFound, Conflict."""
    asked = validated(TimelineSpec, spec)
    with store.read() as session:
        checkpoint = checkpoint_input(session, asked.checkpoint)
        gallery = gallery_input(session, asked.gallery)
    if checkpoint.job is None and not snapshots.kept(store.path(checkpoint.folder)):
        raise BadQuery("no_snapshots", "This checkpoint kept no snapshots, so it cannot be seen growing.")
    return Prepared(
        spec=asked.model_dump(mode="json"),
        slug=asked.checkpoint,
        path=f"{checkpoint.folder}/{timelines.FOLDER}/{asked.gallery}.npz",
        inputs={"checkpoint": checkpoint.folder, "gallery": gallery.folder},
        needs=tuple(job for job in (checkpoint.job, gallery.job) if job is not None),
        fingerprints={"checkpoint": checkpoint.fingerprint, "gallery": gallery.fingerprint},
        keep_slug=True,
    )
