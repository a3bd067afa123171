"""The pages of checkpoints: the list, and the card of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.routes.checkpoints.card_context import CheckpointContext, CurveCard, LayerRow, MeasuresCard, Probed
from app.routes.checkpoints.counts_verdict import counts_card
from app.routes.checkpoints.export_rows import export_rows
from app.services.checkpoints.exports import offers
from app.services.checkpoints.measures import card_view, kernel_errors, measure_table
from app.services.checkpoints.sanity import check_on
from app.services.checkpoints.service import CheckpointRecord, OpenCheckpoint
from app.services.evaluations.service import Source, chosen
from app.services.results.service import MeasuredRow
from app.services.results.service import TableChoice as Table
from app.services.services import Services
from app.settings import Settings
from app.web.curve_charts import curve_chart
from app.web.formats import number, percent, timestamp
from app.web.frame import PageContext
from app.web.templating import page
from models.card import Card, LayerCard
from models.descriptors import DESCRIPTORS
from models.recipes import RECIPES
from models.sanity.report import Sanity

# The answer to whether the features make sense, in words, and its colour.
SANE = {"good": ("it does", "good"), "bad": ("it does not", "bad"), "unknown": ("cannot tell", "warn")}
KINDS = {"conv": "map", "fc": "vector"}  # what the layers of foreign checkpoints give
OPEN_ROWS = 12  # a table with more rows is folded at first


@dataclass(frozen=True)
class CheckpointsContext(PageContext):
    """A part of the list of checkpoints, and the addresses of its first and its following part, where there is one."""

    template: ClassVar[str] = "checkpoints.html"
    checkpoints: Sequence[CheckpointRecord]
    first: str | None
    following: str | None


def show_list(request: Request, services: Services, *, limit: int, cursor: str | None) -> HTMLResponse:
    """The page with a part of the list of checkpoints, newest first."""
    found, here = services.checkpoints.list(limit=limit, cursor=cursor), services.settings.url("/checkpoints")
    following = None if found.next is None else f"{here}?cursor={found.next}"
    return page(request, CheckpointsContext(found.checkpoints, None if cursor is None else here, following))


def show_card(request: Request, services: Services, checkpoint: OpenCheckpoint, on: str | None) -> HTMLResponse:
    """The page of one checkpoint; gates and measures are those on the gallery `on`, else where most was measured."""
    record, card, settings = checkpoint.record, checkpoint.card, services.settings
    sources, tables = services.evaluations.sources(checkpoint), services.evaluations.tables()
    source = chosen(sources, on)
    view, here = card_view(card), settings.url(f"/checkpoints/{record.slug}")
    checked, network = check_on(record, None), card.architecture not in DESCRIPTORS
    return page(
        request,
        CheckpointContext(
            record=record,
            lead=_lead(card),
            here=here,
            others=services.checkpoints.others(record.slug),
            is_hog=card.architecture == "hog",
            has_trunk=bool(card.trunk_layers),
            has_counts=card.has_counts,
            probed=network and bool(card.probed_layers),
            filters_only=card.filters_only,
            checkable=network and not card.filters_only,
            puzzle=settings.url(f"/tasks/{card.task}?checkpoint={record.slug}") if card.task in RECIPES else "",
            counts=counts_card(sources, source, here) if card.has_counts else None,
            tested=tables.tested,
            carried=tables.carried,
            measures=_measures(source),
            kernels=kernel_errors(card, {} if source is None else source.measures),
            images=None if source is None else _images(source),
            layers_note="forward order" if card.title else "forward order; values are taken after the ReLU",
            reads=card.title is not None,
            layers=[_layer(layer, card) for layer in card.layers],
            curves=[CurveCard(group.title, curve_chart(group), group.note) for group in view.curves],
            galleries=[item.pair for item in services.galleries.filled()],
            sanity=None if checked is None else _sanity(checked),
            sanity_words="" if checked is None else checked.sentence,
            probes=[_probe(choice, row, settings) for choice, row in services.results.of(record.slug)],
            preprocess=view.preprocess,
            provenance=view.provenance,
            config=view.config,
            weights=_weights(record, card),
            exports=export_rows(record, offers(record) if network and not card.filters_only else (), settings),
        ),
    )


def _lead(card: Card) -> str:
    if card.provenance.get("learned_weights") == 0:
        return f"{card.called}, nothing learned"
    if card.provenance.get("steps") == 0:
        return f"{card.called}, never trained"
    task = f" trained on {card.task}" if card.task else ""
    return f"{card.called}{task}" + (f", recipe {card.recipe}" if card.recipe else "")


def _images(source: Source) -> int | None:
    table = measure_table(source.measures)
    return None if table is None else table.images


def _measures(source: Source | None) -> MeasuresCard | None:
    table = None if source is None else measure_table(source.measures)
    if source is None or table is None:
        return None
    n = f", n = {number(table.images)}" if table.images else ""
    return MeasuresCard(f"{source.title}{n}; 95 % interval below each value", table, len(table.rows) <= OPEN_ROWS)


def _layer(layer: LayerCard, card: Card) -> LayerRow:
    field = "–" if card.filters_only else "whole input" if layer.on_trunk else "whole crop"
    return LayerRow(
        name=layer.name,
        kind=KINDS.get(layer.kind, layer.kind) if card.title else layer.kind,
        units=number(layer.units),
        stride="–" if layer.stride is None else str(layer.stride),
        field=field if layer.receptive_field is None else str(layer.receptive_field),
        read=layer.value,
    )


def _sanity(checked: Sanity) -> tuple[str, str]:
    return SANE[checked.verdict]


def _probe(choice: Table, row: MeasuredRow, settings: Settings) -> Probed:
    best = row.best_score("linear")
    return Probed(
        choice.gallery,
        settings.url(f"/results?gallery={choice.gallery}&protocol={choice.protocol.key}"),
        choice.words,
        f"{row.best('linear')} {percent(None if best is None else best.value, 1)}",
    )


def _weights(record: CheckpointRecord, card: Card) -> list[tuple[str, str]]:
    return [
        ("Stored as", f"{card.dtype}, safetensors"),
        ("SHA-256", card.weights_sha256),
        ("Registered", timestamp(record.created_at)),
    ]
