"""Checks the submission of a timeline: checkpoint, gallery, and how many of its images to use."""

from typing import Any

from pydantic import Field

from app.failures import BadQuery
from app.services.jobs.submissions.inputs import validated
from app.services.jobs.submissions.pairs import CheckpointAndGallery, PairSpec
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from models.scans import timelines
from models.training import snapshots


class TimelineSpec(PairSpec):
    """The settings of a timeline; `images` is the number of images of the gallery that it uses."""

    images: int = Field(400, ge=timelines.TOP, le=10_000)


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> PreparedJob:  # noqa: ARG001 - the kinds' interface
    """Check the spec of a timeline and fill in its defaults. Raises BadQuery, NotFound, Conflict."""
    asked = validated(TimelineSpec, spec)
    pair = CheckpointAndGallery.find(store, asked)
    if pair.checkpoint.job is None and not snapshots.kept(store.path(pair.checkpoint.folder)):
        raise BadQuery("no_snapshots", "This checkpoint kept no snapshots, so it cannot be seen growing.")
    return pair.beside(asked, timelines.FOLDER, ".npz")
