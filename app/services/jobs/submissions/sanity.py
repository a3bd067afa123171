"""Checks the submission of a sanity check: checkpoint, gallery, and the time for each preparation of the images."""

from typing import Any

from pydantic import Field

from app.failures import Conflict
from app.services.jobs.submissions.inputs import card_of, must_be_network, validated
from app.services.jobs.submissions.pairs import CheckpointAndGallery, PairSpec
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from models.sanity import report as sanity_report


class SanitySpec(PairSpec):
    """The settings of a sanity check; `seconds` is the time for each preparation, spent on 64 to 500 images."""

    seconds: float = Field(15.0, ge=1.0, le=600.0)
    seed: int = Field(0, ge=0, le=2**32 - 1)


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> PreparedJob:  # noqa: ARG001 - the kinds' interface
    """Check the spec of a sanity check and fill in its defaults. Raises BadQuery, NotFound, Conflict."""
    asked = validated(SanitySpec, spec)
    pair = CheckpointAndGallery.find(store, asked)
    card = card_of(store, pair.checkpoint)
    must_be_network(card, "check")
    if card is not None and card.filters_only:
        raise Conflict(
            "filters_only", f"Of {card.name} only the filters of the first layer are known: it cannot see images."
        )
    return pair.beside(asked, sanity_report.FOLDER)
