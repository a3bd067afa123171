"""A checked submission: everything that the queue needs to know about a new job."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from app.jobs.spec import Output
from app.settings import Settings
from app.store.engine import Store


@dataclass(frozen=True, kw_only=True)
class PreparedJob:
    """A valid submission.

    `spec` has every default filled in. `inputs` are folders by name, relative to the workspace or absolute. `slug` and
    `path` are those of the artefact. Where the slug is taken, "-2", "-3" ... is added to it and to the last part of
    the path, unless `keep_slug` says that the job works on something that exists already. `fingerprints` are those of
    the inputs; with kind and spec they make the identity. `needs` are the ids of jobs that have to be done first.
    `on_submit` is called in the transaction that adds the job, with the job's id and its final output, and only when a
    new row is added.
    """

    spec: Mapping[str, Any]
    slug: str
    path: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[int, ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    keep_slug: bool = False
    on_submit: Callable[[Session, int, Output], None] | None = None


Prepare = Callable[[Store, Settings, dict[str, Any]], PreparedJob]
