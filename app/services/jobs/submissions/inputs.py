"""The inputs of a submitted job: the folders it will read, and the unfinished jobs that will fill them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.failures import BadQuery, Conflict
from app.jobs.states import ENDED
from app.services.jobs.submissions.prepared import PreparedJob
from app.services.similar_names import unknown
from app.store.engine import Store
from app.store.tables import CheckpointRow, GalleryRow, JobRow
from models.card import Card, NotACheckpoint, read_card
from models.descriptors import DESCRIPTORS
from models.galleries.packs import Shard

Spec = TypeVar("Spec", bound=BaseModel)


@dataclass(frozen=True)
class Input:
    """A folder that the job will read.

    `job` is the id of the unfinished job that will fill the folder, None where it is full; `shards` are those of a
    gallery.
    """

    folder: str
    fingerprint: str
    job: int | None = None
    shards: tuple[Shard, ...] = ()


def validated(model: type[Spec], spec: dict[str, Any]) -> Spec:
    """The spec as `model`. Raises BadQuery naming the first field that is wrong."""
    try:
        return model.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadQuery("invalid_value", f"`{name}`: {first['msg']}.", {"field": name}) from None


def checkpoint_input(session: Session, slug: str) -> Input:
    """The checkpoint, or the training that will make it. Raises NotFound."""
    row = session.scalar(select(CheckpointRow).where(CheckpointRow.slug == slug))
    if row is not None:
        return Input(row.folder, row.sha256)
    promised = select(JobRow).where(JobRow.output_kind == "checkpoint", JobRow.output_slug == slug)
    job = session.scalar(promised.where(JobRow.state.not_in(ENDED)))
    if job is None or job.output_path is None:
        raise unknown(session, CheckpointRow, slug)
    return Input(job.output_path, f"job-{job.id}", job.id)


def card_of(store: Store, checkpoint: Input) -> Card | None:
    """The checkpoint's card; None where a job has not made it yet. Raises Conflict where the files are damaged."""
    if checkpoint.job is not None:
        return None
    try:
        return read_card(store.path(checkpoint.folder))
    except NotACheckpoint as error:
        raise Conflict(error.code, f"The checkpoint's files are damaged: {error}.") from error


def prepared_from(
    inputs: Mapping[str, Input], spec: BaseModel, *, slug: str, path: str, keep_slug: bool = False
) -> PreparedJob:
    """The submission of a job that reads all of `inputs` and waits for the unfinished jobs that fill them."""
    return PreparedJob(
        spec=spec.model_dump(mode="json"),
        slug=slug,
        path=path,
        inputs={name: item.folder for name, item in inputs.items()},
        needs=tuple(item.job for item in inputs.values() if item.job is not None),
        fingerprints={name: item.fingerprint for name, item in inputs.items()},
        keep_slug=keep_slug,
    )


def must_be_network(card: Card | None, what_for: str) -> None:
    """Raises BadQuery for a descriptor, which has no network to be used for that; None is not known yet."""
    if card is not None and card.architecture in DESCRIPTORS:
        raise BadQuery("no_network", f"{card.name} has no weights, so there is no network to {what_for}.")


def gallery_input(session: Session, slug: str) -> Input:
    """The gallery, and the import that is still filling it. Raises NotFound, and Conflict where it stays empty."""
    row = session.scalar(select(GalleryRow).where(GalleryRow.slug == slug))
    if row is None:
        raise unknown(session, GalleryRow, slug)
    job = None if row.job_id is None else session.get(JobRow, row.job_id)
    shards = tuple(Shard(s["file"], s["rows"], s["sha256"]) for s in row.shards)
    if job is not None and job.state not in ("failed", "cancelled", "blocked"):
        # This fingerprint is the same before and after the import ends, so a scan submitted early is found again.
        return Input(
            row.folder, f"import-{job.id}", job.id if job.state != "done" else None, _filled(shards, job, slug)
        )
    digest = hashlib.sha256("".join(shard.sha256 for shard in shards).encode()).hexdigest()
    return Input(row.folder, digest, None, _filled(shards, None, slug))


def _filled(shards: tuple[Shard, ...], job: JobRow | None, slug: str) -> tuple[Shard, ...]:
    if not shards and (job is None or job.state == "done"):
        raise Conflict("gallery_empty", f"The gallery {slug} holds no images yet; add some first.")
    return shards
