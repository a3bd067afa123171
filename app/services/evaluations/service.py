"""The service for evaluations: reads those of the workspace and of bundled checkpoints, and makes tables of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.failures import DomainError
from app.recent import Recent
from app.services.checkpoints.bundled import SAMPLES
from app.services.checkpoints.service import CheckpointRecord, CheckpointsService, OpenCheckpoint
from app.services.evaluations.carry_over import FIRST, Candidate, Tested, TwoByTwo, tested, two_by_two
from app.services.galleries.service import GalleriesService, GalleryChoice, GalleryRecord
from models.card import Card
from models.counting import gates
from models.evaluations.files import FOLDER, Evaluation, read
from models.galleries.packs import fingerprint
from models.random_init import NAME as RANDOM_INIT

OWN = "own"  # the key for the images that a training held out
GENERATED = "countables"  # the kind of source of galleries that Tessera draws
MOST_ROWS, MOST_COLUMNS = 12, 6
KEPT = 256  # evaluations that stay in memory
Freshness = Literal["same", "changed", "elsewhere"]
WORDS: Mapping[Freshness, str] = {
    "same": "",
    "changed": "measured on another version of this gallery",
    "elsewhere": "measured on a gallery that is not in this workspace",
}


@dataclass(frozen=True)
class Source:
    """Images that a checkpoint was measured on, and its measures.

    `key` names them in addresses, `note` says which images they are. `evaluation` is None for a training's own held-out
    images.
    """

    key: str
    title: str
    note: str
    measures: Mapping[str, Any]
    freshness: Freshness = "same"
    evaluation: Evaluation | None = None

    @property
    def warning(self) -> str:
        return WORDS[self.freshness]

    @property
    def told(self) -> int:
        """The number of required gates that its measures can judge."""
        return sum(result.gate.required and result.verdict != "unmeasured" for result in gates.judge(self.measures))


@dataclass(frozen=True)
class Trained:
    """A row of the table: a checkpoint, the gallery that it was trained on, and its results on each gallery.

    A result is None where it was not measured.
    """

    slug: str
    name: str
    trained_on: str
    tested: tuple[Tested | None, ...]


@dataclass(frozen=True)
class TrainedTested:
    """The table of checkpoints by galleries, which are (slug, name, whether it is in the workspace)."""

    galleries: tuple[tuple[str, str, bool], ...]
    rows: tuple[Trained, ...]


@dataclass(frozen=True)
class Tables:
    """Two tables: `tested` has every counting checkpoint, `carried` is the small one of photos and countables."""

    tested: TrainedTested
    carried: TwoByTwo


Tests = Mapping[str, Evaluation]  # by gallery
Galleries = Mapping[str, GalleryRecord]  # by slug


class EvaluationsService:
    """Reads the evaluations in checkpoints' folders; those of the workspace replace bundled ones."""

    def __init__(self, checkpoints: CheckpointsService, galleries: GalleriesService) -> None:
        self._checkpoints = checkpoints
        self._galleries = galleries
        self._known = Recent[tuple[Path, int], Evaluation | None](KEPT)

    def of(self, record: CheckpointRecord) -> list[Evaluation]:
        """The evaluations of the checkpoint's current weights, one for each gallery, sorted by gallery."""
        bundled = (folder for folder in (SAMPLES.iterdir() if SAMPLES.exists() else ()))
        found = [evaluation for folder in (*bundled, record.folder) for evaluation in self._folder(folder)]
        own = {item.gallery: item for item in found if item.weights_sha256 == record.sha256}
        return [own[gallery] for gallery in sorted(own)]

    def sources(self, checkpoint: OpenCheckpoint) -> list[Source]:
        """All images that the checkpoint was measured on, its own held-out images first."""
        found = [_own(checkpoint.card)] if checkpoint.card.measures.get("network") else []
        tests = self.of(checkpoint.record)
        here = self._galleries.named(test.gallery for test in tests)
        return [*found, *(_source(test, here) for test in tests)]

    def tables(self) -> Tables:
        """Both tables of all counting checkpoints."""
        records = _ordered(self._checkpoints.counting())
        found = {item.slug: {test.gallery: test for test in self.of(item)} for item in records}
        filled = self._galleries.filled()
        here = self._galleries.named(gallery for tests in found.values() for gallery in tests)
        return Tables(self._table(records, found, filled, here), self._carry_over(records, found, filled, here))

    def _table(
        self,
        records: Sequence[CheckpointRecord],
        found: Mapping[str, Tests],
        filled: Sequence[GalleryChoice],
        galleries: Galleries,
    ) -> TrainedTested:
        """The table of all checkpoints; galleries with an evaluation come first, then others of the workspace."""
        here = {item.slug: item.name for item in filled}
        measured = sorted({gallery for tests in found.values() for gallery in tests}, key=lambda slug: slug not in here)
        columns = list(dict.fromkeys([*measured, *here]))[:MOST_COLUMNS]
        return TrainedTested(
            galleries=tuple((slug, here.get(slug, slug), slug in here) for slug in columns),
            rows=tuple(self._trained(item, found[item.slug], columns, galleries) for item in records),
        )

    def _carry_over(
        self,
        records: Sequence[CheckpointRecord],
        found: Mapping[str, Tests],
        filled: Sequence[GalleryChoice],
        galleries: Galleries,
    ) -> TwoByTwo:
        """The table of networks trained on photos or countables, tested on both, beside the controls."""
        candidates = [Candidate(item.slug, item.name, self._trained_on(item), found[item.slug]) for item in records]
        drawn = {item.slug: item.source.get("kind") == GENERATED for item in filled}
        warnings = {
            (item.slug, slug): WORDS[_freshness(test, galleries)]
            for item in candidates
            for slug, test in item.tests.items()
        }
        return two_by_two(candidates, drawn, warnings)

    def _trained_on(self, record: CheckpointRecord) -> str | None:
        """The gallery that it was trained on; None where it was not trained or its card does not say."""
        try:
            gallery = self._checkpoints.read_card(record).provenance.get("gallery")
        except DomainError:
            return None
        return None if gallery is None else str(gallery)

    def _trained(self, record: CheckpointRecord, tests: Tests, columns: list[str], galleries: Galleries) -> Trained:
        try:
            trained_on = str(self._checkpoints.read_card(record).provenance.get("gallery") or "nothing")
        except DomainError:
            trained_on = "unknown: its card is damaged"
        cells = tuple(_tested(tests[slug], galleries) if slug in tests else None for slug in columns)
        return Trained(record.slug, record.name, trained_on, cells)

    def _folder(self, folder: Path) -> list[Evaluation]:
        found = (self._read(path) for path in sorted((folder / FOLDER).glob("*.json")))
        return [evaluation for evaluation in found if evaluation is not None]

    def _read(self, path: Path) -> Evaluation | None:
        return self._known.get((path, path.stat().st_mtime_ns), lambda: read(path))


def chosen(sources: list[Source], key: str | None) -> Source | None:
    """The source of that key; where there is none, the source that can judge most gates."""
    asked = next((source for source in sources if source.key == key), None)
    return asked or max(sources, key=lambda source: source.told, default=None)


def _tested(evaluation: Evaluation, galleries: Galleries) -> Tested:
    return tested(evaluation, warning=WORDS[_freshness(evaluation, galleries)])


def _source(evaluation: Evaluation, galleries: Galleries) -> Source:
    left = [
        f"{count} left out because {why}"
        for count, why in (
            (evaluation.too_small, "smaller than the crop"),
            (evaluation.seen, "seen in training"),
        )
        if count
    ]
    note = ", ".join([f"{evaluation.part}, {evaluation.rows:,} images", *left])
    freshness = _freshness(evaluation, galleries)
    return Source(evaluation.gallery, evaluation.gallery, note, evaluation.measures, freshness, evaluation)


def _freshness(evaluation: Evaluation, galleries: Galleries) -> Freshness:
    here = galleries.get(evaluation.gallery)
    if here is None:
        return "elsewhere"
    return "same" if fingerprint(here.shards) == evaluation.gallery_fingerprint else "changed"


def _own(card: Card) -> Source:
    gallery = card.provenance.get("gallery", "its gallery")
    held_out = card.provenance.get("images_held_out")
    note = f"{held_out:,} images that training never saw" if held_out else "images that training never saw"
    return Source(OWN, f"held out of {gallery}", note, card.measures)


def _ordered(records: list[CheckpointRecord]) -> list[CheckpointRecord]:
    """At most MOST_ROWS checkpoints: the bundled ones, then the newest, and random init last."""
    last = [record for record in records if record.slug == RANDOM_INIT]
    first = sorted((record for record in records if record.slug in FIRST), key=lambda record: FIRST.index(record.slug))
    rest = [record for record in records if record not in first and record not in last]
    return [*first, *rest][: MOST_ROWS - len(last)] + last
