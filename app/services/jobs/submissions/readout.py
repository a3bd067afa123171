"""Checks the submission of a readout: checkpoint, gallery of labelled scenes, and how many scenes to fit on."""

from typing import Any

from pydantic import Field

from app.services.jobs.submissions.inputs import validated
from app.services.jobs.submissions.pairs import CheckpointAndGallery, PairSpec
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from models.counting import readouts


class ReadoutSpec(PairSpec):
    """The settings of a readout; `scenes` is the number of labelled scenes that it is fitted on."""

    scenes: int = Field(400, ge=readouts.LEAST_FIT, le=10_000)
    seed: int = Field(0, ge=0, le=2**32 - 1)


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> PreparedJob:  # noqa: ARG001 - the kinds' interface
    """Check the spec of a readout and fill in its defaults. Raises BadQuery, NotFound, Conflict."""
    asked = validated(ReadoutSpec, spec)
    pair = CheckpointAndGallery.find(store, asked)
    pair.must_count(store, "read out")
    return pair.beside(asked, readouts.FOLDER)
