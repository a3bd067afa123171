"""The page that compares two checkpoints: what each is, and the same gates and measures for both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.routes.checkpoints.counts_verdict import first_upper
from app.services.checkpoints.measures import GateCell, MeasureCell
from app.services.evaluations.comparison import ComparedCheckpoint, ComparedMeasure, Comparison, GateLine
from app.services.services import Services
from app.settings import Settings
from app.web.choices import Choice
from app.web.formats import number
from app.web.frame import PageContext
from app.web.templating import page

SCANS = 3  # at most so many scans of each checkpoint are linked


@dataclass(frozen=True)
class SideCard:
    """One of the two checkpoints.

    `filters` is the address of the picture of its first filters, empty unless both checkpoints have some. `sentence`
    says whether it counts, in the colour `tone`; both are empty if that was not measured. `scans` are slugs.
    """

    title: str
    name: str
    href: str
    note: str
    tone: str
    sentence: str
    filters: str
    has_filters: bool
    has_counts: bool
    scans: Sequence[str]


@dataclass(frozen=True)
class ComparedGateRow:
    """One gate for both; `aim`: this is the first row below the required gates, of what is only aimed at."""

    words: str
    asks: str
    a: GateCell
    b: GateCell
    aim: bool


@dataclass(frozen=True)
class ComparedMeasureRow:
    """One measure for both, their difference, and whether their intervals are apart or overlap.

    `a` or `b` is None if that one was not measured; `apart` is empty if there are no intervals to compare.
    """

    label: str
    help: str
    a: MeasureCell | None
    b: MeasureCell | None
    difference: str
    apart: str


@dataclass(frozen=True)
class ComparedValue:
    """The gates and measures of both, on the images that `note` describes.

    `choices` are links to other galleries that both were measured on, `names` the titles of the two columns.
    """

    choices: list[Choice]
    warning: str
    note: str
    names: tuple[str, str]
    gates: list[ComparedGateRow]
    lines: list[ComparedMeasureRow]


@dataclass(frozen=True)
class Pair:
    """The two side by side; `measured` is None if there are no images that both were measured on.

    `twin` is the address of the JSON, `swap` that of the page with the two exchanged, `card` that of the second
    checkpoint, whose link says `card_name`.
    """

    title: str
    twin: str
    swap: str
    sides: list[SideCard]
    measured: ComparedValue | None
    card: str
    card_name: str


@dataclass(frozen=True)
class CompareContext(PageContext):
    """The form with all checkpoints, of which `a` and `b` are chosen, and the comparison.

    `pair` is None until the form was sent.
    """

    template: ClassVar[str] = "compare.html"
    everyone: list[tuple[str, str]]
    a: str
    b: str
    pair: Pair | None


def show_pair(request: Request, services: Services, found: Comparison | None, a: str, b: str) -> HTMLResponse:
    """The page with the form, and with the comparison if two checkpoints were chosen."""
    everyone = services.checkpoints.choices()
    first = a or (everyone[0][0] if everyone else "")
    other = b or next((slug for slug, _ in everyone if slug != first), "")
    pair = None if found is None else _pair(found, services.settings)
    return page(request, CompareContext(everyone, first, other, pair))


def _pair(found: Comparison, settings: Settings) -> Pair:
    one, two = found.a.record, found.b.record
    on = f"&on={found.on}" if found.on else ""
    query = f"a={one.slug}&b={two.slug}"
    drawn = settings.url(f"/api/compare/filters.png?{query}") if one.has_filters and two.has_filters else ""
    return Pair(
        title=f"{one.name} vs {two.name}",
        twin=settings.url(f"/api/compare?{query}{on}"),
        swap=settings.url(f"/compare?a={two.slug}&b={one.slug}{on}"),
        sides=[_side("a", found.a, drawn, settings), _side("b", found.b, drawn, settings)],
        measured=_measured(found, settings.url(f"/compare?{query}")) if found.on else None,
        card=settings.url(f"/checkpoints/{two.slug}"),
        card_name=f"Card of {two.name}",
    )


def _side(letter: Literal["a", "b"], side: ComparedCheckpoint, drawn: str, settings: Settings) -> SideCard:
    record, provenance, gates = side.record, side.card.provenance, side.gates
    untrained = provenance.get("steps") == 0
    return SideCard(
        title=f"{letter.upper()} · {record.name}",
        name=record.name,
        href=settings.url(f"/checkpoints/{record.slug}"),
        note="never trained" if untrained else f"trained on {provenance.get('gallery', 'an unknown gallery')}",
        tone="" if gates is None else gates.tone,
        sentence="" if gates is None else gates.sentence,
        filters=f"{drawn}&side={letter}&zoom=3" if drawn else "",
        has_filters=record.has_filters,
        has_counts=side.card.has_counts,
        scans=record.scans[:SCANS],
    )


def _measured(found: Comparison, here: str) -> ComparedValue:
    notes = ["" if side.source is None else side.source.note for side in (found.a, found.b)]
    before = [True, *(line.required for line in found.gates)]
    return ComparedValue(
        choices=[Choice(title, f"{here}&on={key}#gates", key == found.on) for key, title in found.choices],
        warning=found.warning,
        note=f"A: {notes[0]}. B: {notes[1]}.",
        names=(f"A · {found.a.record.name}", f"B · {found.b.record.name}"),
        gates=[
            _gate(line, aim=required and not line.required) for line, required in zip(found.gates, before, strict=False)
        ],
        lines=[_line(line) for line in found.lines],
    )


def _gate(line: GateLine, *, aim: bool) -> ComparedGateRow:
    return ComparedGateRow(first_upper(line.words), line.asks, line.a, line.b, aim)


def _line(line: ComparedMeasure) -> ComparedMeasureRow:
    apart = "" if line.apart is None else "intervals apart" if line.apart else "intervals overlap"
    return ComparedMeasureRow(line.label, line.help, line.a, line.b, number(line.difference), apart)
