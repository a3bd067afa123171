"""The tables of the database: artefacts of the workspace, jobs, chains and notes."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, ForeignKey, Index, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


class UtcTime(TypeDecorator[datetime]):
    """A time with its zone in Python, stored as UTC, because SQLite keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of all tables; folders in them are relative to the workspace, so that it can be moved."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own idiom)
        datetime: UtcTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        str: Text,
    }


class JobRow(Base):
    """A job. Only the supervisor writes its final state, except that any process may cancel a job that waits.

    `attempt` counts the attempts so far. `progress` is the latest progress event, `event_offset` is the number of bytes
    of the event file that are taken into it. `error` is {"code", "message"}. `pid` is the process of a running attempt.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_state_lane", "state", "lane"),
        Index("ix_jobs_output", "output_kind", "output_slug"),
        {"sqlite_autoincrement": True},  # an id is never used twice
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    spec: Mapped[dict[str, Any]]
    inputs: Mapped[dict[str, Any]]
    identity: Mapped[str] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(default="queued")
    lane: Mapped[str]
    attempt: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=3)
    device: Mapped[str | None]
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    output_kind: Mapped[str | None]
    output_slug: Mapped[str | None]
    output_path: Mapped[str | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    pid: Mapped[int | None]
    event_offset: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobNeed(Base):
    """Says that the job `job_id` starts only after the job `needs_id` is done."""

    __tablename__ = "job_needs"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    needs_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, index=True)


class GalleryRow(Base):
    """A gallery; its row is added when its import is submitted. `skipped` is the number of files left out."""

    __tablename__ = "galleries"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    source: Mapped[dict[str, Any]]
    folder: Mapped[str]
    rows: Mapped[int] = mapped_column(default=0)
    shards: Mapped[list[Any]] = mapped_column(default=list)  # [{"file", "rows", "sha256"}], in row order
    skipped: Mapped[int] = mapped_column(default=0)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class CheckpointRow(Base):
    """A registered checkpoint; its card is in the folder, `sha256` is the hash of its weights."""

    __tablename__ = "checkpoints"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    folder: Mapped[str]
    sha256: Mapped[str]
    architecture: Mapped[str]
    task: Mapped[str | None]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class ScanRow(Base):
    """A scan; `checkpoint` and `gallery` are slugs, `layers` names, `shards` those of the gallery that it covers."""

    __tablename__ = "scans"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    checkpoint: Mapped[str] = mapped_column(index=True)
    gallery: Mapped[str] = mapped_column(index=True)
    folder: Mapped[str]
    rows: Mapped[int] = mapped_column(default=0)
    layers: Mapped[list[Any]] = mapped_column(default=list)
    shards: Mapped[list[Any]] = mapped_column(default=list)
    done: Mapped[bool] = mapped_column(default=False)
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class ClusteringRow(Base):
    """A clustering of `rows` images of a scan into `k` clusters; `scan`, `checkpoint` and `gallery` are slugs."""

    __tablename__ = "clusterings"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    scan: Mapped[str] = mapped_column(index=True)
    checkpoint: Mapped[str]
    gallery: Mapped[str] = mapped_column(index=True)
    layer: Mapped[str]
    method: Mapped[str]
    k: Mapped[int]
    rows: Mapped[int]
    folder: Mapped[str]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class ChainRow(Base):
    """A chain of jobs, each of which waits for the one before; `links` are `{step, kind, slug, gallery, job}`."""

    __tablename__ = "chains"

    id: Mapped[int] = mapped_column(primary_key=True)
    identity: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    spec: Mapped[dict[str, Any]]
    links: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class NoteRow(Base):
    """A note that a person wrote; `subject` is what it is about, such as `checkpoint:layer:unit`."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(index=True)
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
