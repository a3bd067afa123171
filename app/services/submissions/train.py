"""Trainings as they are submitted: the task, its recipe with every setting filled in, and the gallery."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.failures import BadQuery
from app.jobs.spec import Output
from app.services.submissions.inputs import gallery_input, validated
from app.services.submissions.prepared import Prepared
from app.settings import Settings
from app.store.engine import Store
from models.recipes import BadConfig, build_config, config_dict


class TrainSpec(BaseModel):
    """What a training can be told; `config` overrides single settings of the recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gallery: str = Field(min_length=1, max_length=200)
    task: str = "counting"
    recipe: str = "small"
    config: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(0, ge=0, le=2**32 - 1)


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> Prepared:  # noqa: ARG001 - the kinds' interface
    """Check the spec of a training and fill in the recipe. Raises BadQuery, NotFound, Conflict."""
    asked = validated(TrainSpec, spec)
    try:
        config = build_config(asked.task, asked.recipe, asked.config)
    except BadConfig as error:
        raise BadQuery(error.code, f"{error}.") from error
    with store.read() as session:
        gallery = gallery_input(session, asked.gallery)
    slug = f"{asked.task}-{asked.gallery}"
    return Prepared(
        spec={**asked.model_dump(mode="json"), "config": config_dict(config)},
        output=Output("checkpoint", slug, f"checkpoints/{slug}"),
        lane="device",
        inputs={"gallery": gallery.folder},
        needs=() if gallery.job is None else (gallery.job,),
        fingerprints={"gallery": gallery.fingerprint},
    )
