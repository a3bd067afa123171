"""Checks the submission of an evaluation: checkpoint, gallery, and how many images to use."""

from typing import Any

from pydantic import Field

from app.services.jobs.submissions.inputs import validated
from app.services.jobs.submissions.pairs import CheckpointAndGallery, PairSpec
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from models.evaluations import files as evaluations


class EvaluateSpec(PairSpec):
    """The settings of an evaluation.

    `images` test the counting equation; `queries` images look for their neighbours among `database` images.
    """

    images: int = Field(512, ge=2, le=10_000)
    database: int = Field(3500, ge=20, le=100_000)
    queries: int = Field(1300, ge=2, le=100_000)
    seed: int = Field(0, ge=0, le=2**32 - 1)


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> PreparedJob:  # noqa: ARG001 - the kinds' interface
    """Check the spec of an evaluation and fill in its defaults. Raises BadQuery, NotFound, Conflict."""
    asked = validated(EvaluateSpec, spec)
    pair = CheckpointAndGallery.find(store, asked)
    pair.must_count(store, "evaluate")
    return pair.beside(asked, evaluations.FOLDER)
