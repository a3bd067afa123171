"""The service for checkpoints: list them, read their cards and first filters, register a folder of files."""

import builtins
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.failures import Conflict, NotFound
from app.jobs import table
from app.jobs.spec import Output
from app.recent import Recent
from app.services.checkpoints.first_layers import FirstLayer, Panel, Sort, read_first_layer
from app.services.cursors import position
from app.services.similar_names import unknown
from app.services.slugs import slug_of
from app.store.engine import Store
from app.store.tables import CheckpointRow, ScanRow
from models import card as cards
from models.atomic import replace_folder
from models.card import Card
from models.descriptors import DESCRIPTORS
from models.filters import pictures as filter_pictures
from models.filters.pictures import Scale
from models.random_init import NAME as RANDOM_INIT
from models.seen import SEEN
from models.training import snapshots

KEPT_CARDS, KEPT_LAYERS = 64, 16
COUNTING = "counting"  # the task
RESERVED = ("add", "inspect")  # addresses of pages, which no checkpoint may have as its slug
FILES = (cards.CARD, cards.WEIGHTS, cards.STEP0, cards.REFERENCE, cards.REPORT, SEEN)


def has_filters(architecture: str) -> bool:
    """Whether a checkpoint of that architecture is a network rather than a descriptor such as HOG."""
    return architecture not in DESCRIPTORS


@dataclass(frozen=True)
class CheckpointRecord:
    """A registered checkpoint; `folder` is absolute, `sha256` is the hash of its weights.

    `scans` are the slugs of its finished scans, newest first; they are filled where one checkpoint is looked up.
    """

    slug: str
    name: str
    architecture: str
    task: str | None
    sha256: str
    folder: Path
    job_id: int | None
    created_at: datetime
    scans: tuple[str, ...] = ()

    @property
    def has_filters(self) -> bool:
        """Whether it is a network, which has first filters, rather than a descriptor."""
        return has_filters(self.architecture)


@dataclass(frozen=True)
class OpenCheckpoint:
    """A checkpoint with its card; it is looked up once for a request."""

    record: CheckpointRecord
    card: Card

    @property
    def slug(self) -> str:
        return self.record.slug

    @property
    def steps(self) -> tuple[int, ...]:
        """The training steps of which it keeps a snapshot of the encoder, ascending."""
        return snapshots.kept(self.record.folder)


@dataclass(frozen=True)
class CheckpointPage:
    """Some checkpoints, newest first, and the cursor of the page after them; None on the last page."""

    checkpoints: tuple[CheckpointRecord, ...]
    next: str | None


class CheckpointsService:
    """Reads and registers checkpoints; cards and first filters never change, so they are kept in memory once read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cards = Recent[tuple[Path, str], Card](KEPT_CARDS)
        self._layers = Recent[tuple[Path, str, int | None], FirstLayer](KEPT_LAYERS)

    def list(self, *, limit: int = 50, cursor: str | None = None) -> CheckpointPage:
        """A page of checkpoints, newest first. Raises BadQuery for a cursor that no page gave."""
        query = select(CheckpointRow).order_by(CheckpointRow.id.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(CheckpointRow.id < position(cursor))
        with self._store.read() as session:
            rows = session.scalars(query).all()
        shown = rows[:limit]
        return CheckpointPage(
            checkpoints=tuple(self._record(row) for row in shown),
            next=str(shown[-1].id) if len(rows) > limit else None,
        )

    def choices(self) -> builtins.list[tuple[str, str]]:
        """Slug and name of all checkpoints, newest first, for the menus of forms."""
        query = select(CheckpointRow.slug, CheckpointRow.name).order_by(CheckpointRow.id.desc())
        with self._store.read() as session:
            return [(row.slug, row.name) for row in session.execute(query)]

    def of_task(self, task: str) -> builtins.list[CheckpointRecord]:
        """All checkpoints of a task, newest first."""
        query = select(CheckpointRow).where(CheckpointRow.task == task).order_by(CheckpointRow.id.desc())
        with self._store.read() as session:
            return [self._record(row) for row in session.scalars(query)]

    def counting(self) -> builtins.list[CheckpointRecord]:
        """All checkpoints of the task of counting, newest first."""
        return self.of_task(COUNTING)

    def find(self, slug: str) -> CheckpointRecord | None:
        """The checkpoint of that slug, with its scans; None where there is none."""
        scans = select(ScanRow.slug).where(ScanRow.checkpoint == slug, ScanRow.done).order_by(ScanRow.id.desc())
        with self._store.read() as session:
            row = session.scalars(select(CheckpointRow).where(CheckpointRow.slug == slug)).one_or_none()
            found = tuple(session.scalars(scans).all()) if row is not None else ()
        return None if row is None else self._record(row, found)

    def weights(self, slugs: Iterable[str]) -> dict[str, str]:
        """The SHA-256 of the weights of these checkpoints, by slug; unknown checkpoints are left out."""
        query = select(CheckpointRow.slug, CheckpointRow.sha256).where(CheckpointRow.slug.in_(set(slugs)))
        with self._store.read() as session:
            return {row.slug: row.sha256 for row in session.execute(query)}

    def get(self, slug: str) -> CheckpointRecord:
        """The checkpoint of that slug, with its scans. Raises NotFound."""
        found = self.find(slug)
        if found is None:
            with self._store.read() as session:
                raise unknown(session, CheckpointRow, slug)
        return found

    def others(self, slug: str) -> builtins.list[tuple[str, str]]:
        """Slug and name of all other checkpoints: random init first, then the newest."""
        query = select(CheckpointRow.slug, CheckpointRow.name).where(CheckpointRow.slug != slug)
        untrained = (CheckpointRow.slug != RANDOM_INIT, CheckpointRow.id.desc())
        with self._store.read() as session:
            return [(row.slug, row.name) for row in session.execute(query.order_by(*untrained))]

    def open(self, slug: str) -> OpenCheckpoint:
        """The checkpoint of that slug with its card. Raises NotFound, or Conflict where the files are damaged."""
        record = self.get(slug)
        return OpenCheckpoint(record, self.read_card(record))

    def read_card(self, record: CheckpointRecord) -> Card:
        """The card of a checkpoint. Raises Conflict where the files are damaged."""
        try:
            return self._cards.get((record.folder, record.sha256), lambda: cards.read_card(record.folder))
        except cards.NotACheckpoint as error:
            raise Conflict(error.code, f"The files of {record.slug} are damaged: {error}.") from error

    def first_layer(self, checkpoint: OpenCheckpoint, at: int | None = None) -> FirstLayer:
        """The first filters and their measures: of the checkpoint, or of the snapshot `at` a step of its training.

        Raises NotFound for a step that was not kept, and Conflict where there are no filters that can be drawn.
        """
        record = checkpoint.record
        if not checkpoint.card.trunk_layers:
            raise Conflict("no_filters", f"{record.slug} has no convolution, so there are no filters to draw.")
        if at is not None and at not in checkpoint.steps:
            raise NotFound("unknown_step", f"{record.slug} keeps no snapshot of step {at}.")
        try:
            return self._layers.get((record.folder, record.sha256, at), lambda: read_first_layer(record.folder, at))
        except (OSError, ValueError, KeyError) as error:
            message = f"The first layer of {record.slug} has no filters that can be drawn."
            raise Conflict("no_filters", message) from error

    def filters_png(
        self,
        checkpoint: OpenCheckpoint,
        *,
        panel: Panel,
        scale: Scale,
        sort: Sort,
        zoom: int = 4,
        at: int | None = None,
    ) -> bytes:
        """All filters of a panel as one picture. Raises NotFound, also where step 0 or step `at` was not kept."""
        layer = self.first_layer(checkpoint, at)
        tiles = layer.pixels(panel, scale)
        if tiles is None:
            raise NotFound("no_step0", f"{checkpoint.slug} keeps no filters from before its training.")
        return filter_pictures.png(filter_pictures.grid(tiles, order=layer.order(sort), zoom=zoom))

    def register_folder(self, folder: Path) -> CheckpointRecord:
        """Copy a checkpoint's folder into the workspace and register it, unless its weights are registered already.

        Raises NotACheckpoint, and CheckpointChanged where the weights are not those of the card.
        """
        card = cards.read_card(folder)
        slug = self._slug_for(card.weights_sha256)
        if slug is None:
            cards.verify_weights(folder, card)
            slug = self._register(folder, card)
        return self.get(slug)

    def with_weights(self, sha256: str) -> CheckpointRecord | None:
        """The checkpoint that has these weights; None where there is none."""
        slug = self._slug_for(sha256)
        return None if slug is None else self.get(slug)

    def _slug_for(self, sha256: str) -> str | None:
        with self._store.read() as session:
            return session.scalars(select(CheckpointRow.slug).where(CheckpointRow.sha256 == sha256)).first()

    def _register(self, folder: Path, card: Card) -> str:
        """Write the files and then the row, so that every row has its files; returns the slug.

        Where the same weights are registered twice at once, both calls return the slug of the same row.
        """
        output = self._free_output(card.name)
        final = self._store.path(output.path)
        with tempfile.TemporaryDirectory(dir=self._store.workspace, prefix=".register.", suffix=".tmp") as temporary:
            copy = Path(temporary) / output.slug
            copy.mkdir()
            for name in FILES:
                if (folder / name).exists():
                    shutil.copyfile(folder / name, copy / name)
            replace_folder(copy, final)
        row = CheckpointRow(
            slug=output.slug,
            name=card.name,
            folder=output.path,
            sha256=card.weights_sha256,
            architecture=card.called,
            task=card.task,
        )
        try:
            with self._store.write() as session:
                session.add(row)
        except IntegrityError:
            winner = self._slug_for(card.weights_sha256)
            if winner is None:
                raise
            return winner
        return output.slug

    def _free_output(self, name: str) -> Output:
        """A slug made from the name that no checkpoint and no unfinished job has, with its folder."""
        slug = slug_of(name, noun="checkpoint")
        slug = f"{slug}-checkpoint" if slug in RESERVED else slug
        with self._store.read() as session:
            return table.free_output(session, Output("checkpoint", slug, f"checkpoints/{slug}"))

    def _record(self, row: CheckpointRow, scans: tuple[str, ...] = ()) -> CheckpointRecord:
        return CheckpointRecord(
            slug=row.slug,
            name=row.name,
            architecture=row.architecture,
            task=row.task,
            sha256=row.sha256,
            folder=self._store.path(row.folder),
            job_id=row.job_id,
            created_at=row.created_at,
            scans=scans,
        )
