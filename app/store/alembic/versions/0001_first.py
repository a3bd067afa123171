"""Adds the first tables: jobs and what they need, galleries, checkpoints, scans, notes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _jobs()
    _needs()
    _galleries()
    _checkpoints()
    _scans()
    _notes()


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), primary_key=True)


def _artefact(table: str) -> list[sa.schema.SchemaItem]:
    """The columns and constraints that every table of artefacts has."""
    return [
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Integer(), sa.ForeignKey("jobs.id", name=f"fk_{table}_job_id_jobs"), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
        sa.UniqueConstraint("slug", name=f"uq_{table}_slug"),
    ]


def _jobs() -> None:
    op.create_table(
        "jobs",
        _id(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("progress", sa.JSON(), nullable=False),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("output_kind", sa.Text(), nullable=True),
        sa.Column("output_slug", sa.Text(), nullable=True),
        sa.Column("output_path", sa.Text(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("event_offset", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_identity", "jobs", ["identity"])
    op.create_index("ix_jobs_output", "jobs", ["output_kind", "output_slug"])
    op.create_index("ix_jobs_state_lane", "jobs", ["state", "lane"])


def _needs() -> None:
    op.create_table(
        "job_needs",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("needs_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_needs_job_id_jobs"),
        sa.ForeignKeyConstraint(["needs_id"], ["jobs.id"], name="fk_job_needs_needs_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "needs_id", name="pk_job_needs"),
    )
    op.create_index("ix_job_needs_needs_id", "job_needs", ["needs_id"])


def _galleries() -> None:
    op.create_table(
        "galleries",
        _id(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("shards", sa.JSON(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        *_artefact("galleries"),
    )


def _checkpoints() -> None:
    op.create_table(
        "checkpoints",
        _id(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("architecture", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=True),
        *_artefact("checkpoints"),
    )


def _scans() -> None:
    op.create_table(
        "scans",
        _id(),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        sa.Column("gallery", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("layers", sa.JSON(), nullable=False),
        sa.Column("shards", sa.JSON(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        *_artefact("scans"),
    )
    op.create_index("ix_scans_checkpoint", "scans", ["checkpoint"])
    op.create_index("ix_scans_gallery", "scans", ["gallery"])


def _notes() -> None:
    op.create_table(
        "notes",
        _id(),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
    )
    op.create_index("ix_notes_subject", "notes", ["subject"])
