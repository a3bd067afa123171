"""Checks the submission of a scan: checkpoint, gallery, and whether an earlier scan can be extended."""

from typing import Any, Literal

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.failures import BadQuery, Conflict
from app.jobs.records import JobRecord, record
from app.jobs.states import ENDED
from app.services.checkpoints.bundled import ensure_descriptor
from app.services.checkpoints.service import CheckpointsService
from app.services.jobs.submissions.inputs import Input, card_of, checkpoint_input, gallery_input, validated
from app.services.jobs.submissions.pairs import PairSpec
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from app.store.tables import JobRow, ScanRow
from models.card import Card
from models.descriptors import DESCRIPTORS
from models.scans.files import ScanInfo, ScanUnreadable, covers_start, read_info
from models.scans.unit_tables import TOP_K


class ScanSpec(PairSpec):
    """The settings of a scan.

    `layers` None means all layers. `residual` asks for the error of the counting equation on every image; None means:
    where the layer of counts is scanned. `top` is the number of top images kept for each unit. `start` scans the images
    that a growing gallery has now; a later scan without `start` waits for the import and extends this one.
    """

    layers: tuple[str, ...] | None = Field(None, min_length=1, max_length=200)
    residual: bool | None = None
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    top: int = Field(TOP_K, ge=1, le=1000)
    start: bool = False


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> PreparedJob:  # noqa: ARG001 - the kinds' interface
    """Check the spec of a scan and fill in its defaults. Raises BadQuery, NotFound, Conflict."""
    asked = validated(ScanSpec, spec)
    if asked.checkpoint in DESCRIPTORS:
        ensure_descriptor(CheckpointsService(store), asked.checkpoint)
    with store.read() as session:
        checkpoint = checkpoint_input(session, asked.checkpoint)
        gallery = gallery_input(session, asked.gallery)
        query = select(ScanRow).where(ScanRow.checkpoint == asked.checkpoint, ScanRow.gallery == asked.gallery)
        earlier = list(session.scalars(query.where(ScanRow.done).order_by(ScanRow.id.desc())))
        begun = None if asked.start else _begun(session, asked)
    card = card_of(store, checkpoint)
    filled = asked if card is None else _fill(asked, card)
    slug = f"{asked.checkpoint}-on-{asked.gallery}"
    grown = next((row for row in earlier if _extends(store, row, filled, checkpoint, gallery)), None)
    path = f"scans/{slug}"
    if grown is not None:
        slug, path = grown.slug, grown.folder
    elif begun is not None and begun.output is not None:
        slug, path = begun.output.slug, begun.output.path
    waits = [checkpoint.job, None if asked.start else gallery.job, None if begun is None else begun.id]
    return PreparedJob(
        spec=filled.model_dump(mode="json", exclude=None if asked.start else {"start"}),
        slug=slug,
        path=path,
        inputs={"checkpoint": checkpoint.folder, "gallery": gallery.folder},
        needs=tuple(job for job in waits if job is not None),
        fingerprints={"checkpoint": checkpoint.fingerprint, "gallery": gallery.fingerprint},
        keep_slug=grown is not None or begun is not None,
    )


def _begun(session: Session, asked: ScanSpec) -> JobRecord | None:
    """The unfinished scan with `start` of the same checkpoint and gallery, which this one will extend."""
    query = select(JobRow).where(JobRow.kind == "scan", JobRow.state.not_in(ENDED)).order_by(JobRow.id.desc())
    wanted = asked.model_dump(mode="json", include={"checkpoint", "gallery"}) | {"start": True}
    return next((record(row) for row in session.scalars(query) if wanted.items() <= dict(row.spec).items()), None)


def _fill(asked: ScanSpec, card: Card) -> ScanSpec:
    """The spec with its defaults: all layers in forward order, the residual where the layer of counts is scanned."""
    if card.filters_only:
        raise Conflict(
            "filters_only",
            f"Of {card.name} only the filters of the first layer are known, not the network around them: it cannot "
            "look at images. Add its file again and name the architecture.",
        )
    names = tuple(layer.name for layer in card.layers)
    wanted = set(asked.layers if asked.layers is not None else names)
    if unknown := sorted(wanted - set(names)):
        raise BadQuery("unknown_layer", f"There is no layer {unknown[0][:80]!r}; there are {', '.join(names)}.")
    counts = any(layer.kind == "counts" and layer.name in wanted for layer in card.layers)
    if asked.residual and not card.has_counts:
        raise BadQuery("no_counts", "This checkpoint has no counting head, so there is no residual to compute.")
    residual = counts if asked.residual is None else asked.residual
    return asked.model_copy(update={"layers": tuple(name for name in names if name in wanted), "residual": residual})


def _extends(store: Store, row: ScanRow, spec: ScanSpec, checkpoint: Input, gallery: Input) -> bool:
    """Whether the new scan can extend this one: the same weights and settings, over a gallery that has grown since."""
    try:
        info = read_info(store.path(row.folder))
    except ScanUnreadable:
        return False
    same = info.checkpoint_sha256 == checkpoint.fingerprint and _options(info) == (spec.layers, spec.residual, spec.top)
    behind = len(info.shards) < len(gallery.shards) or gallery.job is not None
    precision = spec.precision in ("auto", info.precision)
    return same and precision and behind and covers_start(info, gallery.shards)


def _options(info: ScanInfo) -> tuple[tuple[str, ...], bool, int]:
    return info.names, info.residual, info.top_k
