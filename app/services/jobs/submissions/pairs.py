"""Submissions that name a checkpoint and a gallery: the shared part of evaluations, readouts, checks and others."""

from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from app.failures import BadQuery
from app.services.jobs.submissions.inputs import Input, card_of, checkpoint_input, gallery_input, prepared_from
from app.services.jobs.submissions.prepared import PreparedJob
from app.store.engine import Store


class PairSpec(BaseModel):
    """The checkpoint and the gallery, by slug; each kind of job adds its own settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoint: str = Field(min_length=1, max_length=200)
    gallery: str = Field(min_length=1, max_length=200)


@dataclass(frozen=True)
class CheckpointAndGallery:
    """A checkpoint and a gallery as inputs of a job."""

    checkpoint: Input
    gallery: Input

    @classmethod
    def find(cls, store: Store, asked: PairSpec) -> Self:
        """The checkpoint and gallery of a spec, or the jobs that will make them. Raises NotFound, Conflict."""
        with store.read() as session:
            return cls(checkpoint_input(session, asked.checkpoint), gallery_input(session, asked.gallery))

    def must_count(self, store: Store, what_for: str) -> None:
        """Raises BadQuery where the checkpoint has no counting head, Conflict where its files are damaged."""
        card = card_of(store, self.checkpoint)
        if card is not None and not card.has_counts:
            raise BadQuery("no_counts", f"This checkpoint has no counting head, so there is nothing to {what_for}.")

    def prepared(self, asked: PairSpec, path: str) -> PreparedJob:
        """The submission of a job with the checkpoint's slug that writes `path`; a file that is there is replaced."""
        inputs = {"checkpoint": self.checkpoint, "gallery": self.gallery}
        return prepared_from(inputs, asked, slug=asked.checkpoint, path=path, keep_slug=True)

    def beside(self, asked: PairSpec, folder: str, suffix: str = ".json") -> PreparedJob:
        """The submission of a job that writes a file for the gallery into a folder beside the checkpoint's card."""
        return self.prepared(asked, f"{self.checkpoint.folder}/{folder}/{asked.gallery}{suffix}")
