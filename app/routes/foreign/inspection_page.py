"""What the page of an inspected file shows, and its form that registers the weights as a checkpoint."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from app.services.foreign.view import Fate, InspectionView, TensorRow
from app.settings import Settings
from app.web.formats import count, file_size, number, timestamp
from app.web.frame import PageContext

OWN = "own"  # the name of the preparation whose values a visitor types
COLOURS = {"rgb": "RGB", "bgr": "BGR, as OpenCV and Caffe", "gray": "gray", "lab": "Lab", "l": "L of Lab"}
NORMALISED = {"mean_std": "by the mean and deviation below", "per_input": "each image by its own"}
NOTED = ("wrong", "reshaped", "heads")  # groups of tensors in which each has a note
PUBLISHED = "As the library prepares images for these weights; the others are there to compare."
ASSUMED = (
    "A file of weights does not say. This is assumed, with the reason; "
    "wrong preprocessing is the usual cause of features that make no sense."
)

Options = Sequence[tuple[str, str, bool]]  # value, text, whether it is chosen


@dataclass(frozen=True)
class CandidateLink:
    """A link to one of the sets of weights in the file."""

    name: str
    href: str
    note: str
    chosen: bool


@dataclass(frozen=True)
class DoubtLine:
    name: str  # of the tensor
    what: str  # what is doubtful about it, in a word or two
    tone: str
    words: str


@dataclass(frozen=True)
class Recognised:
    """What the weights are. `fits`: every tensor of the encoder is there in its shape, and no tensor is left over.

    `assumed` is what the tensors do not say and was guessed; `stripped` are prefixes that were removed from names;
    `heads` are the layers behind the encoder, kept or left out.
    """

    title: str
    sentence: str
    fits: bool
    reason: str
    assumed: str
    stripped: Sequence[str]
    heads: Sequence[str]


@dataclass(frozen=True)
class Tensors:
    """A table of tensors; `noted`: each has a note; `more` says that not all are shown, empty if all are."""

    rows: Sequence[TensorRow]
    noted: bool
    more: str


@dataclass(frozen=True)
class FateView:
    """Tensors to which the same happens, such as being used or left out; `tone` is the colour of their number."""

    count: str
    tone: str
    title: str
    words: str
    tensors: Tensors


@dataclass(frozen=True)
class Other:
    """Another architecture that the tensors may belong to."""

    title: str
    href: str
    reason: str


@dataclass(frozen=True)
class OfferView:
    """A plausible way to prepare images; `data` are the values that choosing it puts into the form's fields."""

    name: str
    chosen: bool
    data: Sequence[tuple[str, object]]
    summary: str
    badge: str
    reason: str


@dataclass(frozen=True)
class OwnValues:
    """The fields in which a visitor types a preparation; `full_range`: pixels go from 0 to 255 instead of to 1."""

    chosen: bool
    side: str
    resize: str
    colours: Options
    full_range: bool
    normalised: Options
    mean: str
    std: str


@dataclass(frozen=True)
class RegisterForm:
    """The form that registers the weights; without `offers` there is no preparation to choose, and `own` is None.

    `hint` says where the offers come from.
    """

    name: str
    hint: str
    offers: Sequence[OfferView]
    own: OwnValues | None
    accept: str  # what a visitor has to accept about values that are not finite
    button: str


@dataclass(frozen=True)
class FirstFilters:
    note: str
    png: str
    width: int
    height: int
    alt: str
    words: str


@dataclass(frozen=True)
class InspectionContext(PageContext):
    """What was found in a file. `recognised` is None if no known architecture has such tensors.

    `choices` are the sets of weights in the file, empty if there is only one; `candidate` is the name of the chosen
    one. `named` is the architecture that the visitor asked for. `refused`: the weights cannot be registered as this
    architecture. `alone_href` leads to the page that offers the first layer only, empty if it has none.
    """

    template: ClassVar[str] = "inspection.html"
    name: str
    lead: str
    here: str
    json: str
    error: str
    choices: Sequence[CandidateLink]
    candidate: str
    chosen: str  # the address of the page about the chosen weights
    recognised: Recognised | None
    alone: str  # why nothing but the first layer can be studied
    doubts: Sequence[DoubtLine]
    doubt: str  # said where there is no list of them
    fates: Sequence[FateView]
    matched: str
    tensors: Tensors
    tensor_count: str
    others: Sequence[Other]
    named: str
    register: RegisterForm | None
    refused: bool
    alone_href: str
    filters: FirstFilters | None
    facts: Sequence[tuple[str, str]]
    warnings: Sequence[str]
    metadata: str


def inspection_context(
    view: InspectionView, given: Mapping[str, str], settings: Settings, *, error: str
) -> InspectionContext:
    """The page, with the form filled in as `given`."""
    record, candidate, report = view.record, view.candidate, view.report
    found, here = record.inspection, settings.url(f"/inspections/{record.id}")
    chosen = f"{here}?candidate={quote(candidate.name)}"
    size = f"{file_size(found.bytes)}, {count(len(found.candidates), 'set')} of weights"
    return InspectionContext(
        name=record.name,
        lead=f"{view.format or found.format}, {size}",
        here=here,
        json=settings.url(f"/api/inspections/{record.id}"),
        error=error,
        choices=_choices(view, here) if len(view.choices) > 1 else [],
        candidate=candidate.name,
        chosen=chosen,
        recognised=None if report is None else _recognised(report),
        alone="" if report is None or not view.filters_only else _alone(report),
        doubts=[] if report is None else _doubts(report),
        doubt=f"{count(view.not_finite, 'tensor')} with values that are NaN or infinite" if view.not_finite else "",
        fates=[] if view.filters_only else [_fate(fate) for fate in view.fates],
        matched="" if report is None else _matched(report),
        tensors=_tensors(view.tensors, len(candidate.tensors), noted=False),
        tensor_count=count(len(candidate.tensors), "tensor"),
        others=[Other(it["title"], f"{chosen}&architecture={quote(it['title'])}", it["reason"]) for it in view.others],
        named=view.named,
        register=_register(view, given) if view.can_register else None,
        refused=report is not None and not view.can_register,
        alone_href=f"{chosen}&architecture={quote(view.alone)}" if view.alone else "",
        filters=None if not view.filters else _filters(view.filters),
        facts=_facts(view),
        warnings=found.warnings,
        metadata=json.dumps(found.metadata, indent=2, sort_keys=True) if found.metadata else "",
    )


def _choices(view: InspectionView, here: str) -> list[CandidateLink]:
    return [
        CandidateLink(
            it.name,
            f"{here}?candidate={quote(it.name)}",
            f"{count(len(it.tensors), 'tensor')}, {number(it.parameters)} parameters",
            it.name == view.candidate.name,
        )
        for it in view.choices
    ]


def _recognised(report: Mapping[str, Any]) -> Recognised:
    guess = report["guess"]
    return Recognised(
        title=guess["title"],
        sentence=report["sentence"],
        fits=bool(report["fits"]),
        reason=guess["reason"],
        assumed="; ".join(guess["assumed"]),
        stripped=report["stripped"],
        heads=[_head(head) for head in [*guess["heads"], *report["beside"]]],
    )


def _head(head: Mapping[str, Any]) -> str:
    outputs = f", {number(head['outputs'])}" if head["outputs"] else ""
    return f"{head['kind']}{outputs}: {head['words']} ({'kept' if head['kept'] else 'left out'})"


def _alone(report: Mapping[str, Any]) -> str:
    return f"{report['sentence']} They need no architecture: {report['guess']['reason']}."


def _doubts(report: Mapping[str, Any]) -> list[DoubtLine]:
    return [
        DoubtLine(it["name"], it["what"], "bad" if it["what"] == "not finite" else "warn", it["words"])
        for it in report["doubts"]
    ]


def _matched(report: Mapping[str, Any]) -> str:
    return f"{number(len(report['matched']))} of {number(report['needed'])} needed were matched"


def _fate(fate: Fate) -> FateView:
    tensors = _tensors(fate.rows, fate.count, noted=fate.key in NOTED)
    return FateView(number(fate.count), fate.tone, fate.title, fate.words, tensors)


def _tensors(rows: Sequence[TensorRow], total: int, *, noted: bool) -> Tensors:
    more = f"The first {len(rows)} of {number(total)}; the JSON has all." if total > len(rows) else ""
    return Tensors(rows, noted, more)


def _register(view: InspectionView, given: Mapping[str, str]) -> RegisterForm:
    bad, published = view.not_finite, bool(view.record.published)
    has = "has" if bad == 1 else "have"
    chosen, badge = given.get("preparation", ""), "the library's" if published else "assumed"
    return RegisterForm(
        name=given.get("name", ""),
        hint=PUBLISHED if published else ASSUMED,
        offers=[_offer(offer, chosen, "" if place else badge) for place, offer in enumerate(view.offers)],
        own=_own(given) if view.offers else None,
        accept=f"Register it although {count(bad, 'tensor')} {has} values that are NaN or infinite" if bad else "",
        button="Study the first-layer filters alone" if view.filters_only else "Register this checkpoint",
    )


def _offer(offer: Mapping[str, Any], chosen: str, badge: str) -> OfferView:
    how = offer["preprocess"]
    return OfferView(
        name=offer["name"],
        chosen=chosen == offer["name"],
        data=[
            ("side", how["trunk_size"]),
            ("resize", how["resize"]),
            ("colour", how["colour"]),
            ("range", 255 if how["scale"] == 255 else 1),
            ("normalise", how["normalise"]),
            ("mean", ", ".join(str(value) for value in how["mean"])),
            ("std", ", ".join(str(value) for value in how["std"])),
        ],
        summary=f"{how['trunk_size']} px, {COLOURS[how['colour']].partition(',')[0]}",
        badge=badge,
        reason=offer["reason"],
    )


def _own(given: Mapping[str, str]) -> OwnValues:
    colour, normalise = given.get("colour"), given.get("normalise")
    return OwnValues(
        chosen=given.get("preparation") == OWN,
        side=given.get("side", ""),
        resize=given.get("resize", ""),
        colours=[(key, text, key == colour) for key, text in COLOURS.items()],
        full_range=given.get("range") == "255",
        normalised=[(key, text, key == normalise) for key, text in NORMALISED.items()],
        mean=given.get("mean", ""),
        std=given.get("std", ""),
    )


def _filters(found: Mapping[str, Any]) -> FirstFilters:
    shape, shown, layer = found["shape"], found["shown"], found["layer"]
    more = f" The {shown} strongest are drawn." if shown < shape[0] else ""
    return FirstFilters(
        note=f"{layer}, {'×'.join(str(side) for side in shape)}",
        png=found["png"],
        width=found["width"],
        height=found["height"],
        alt=f"{shown} filters of {layer}, strongest first, on one scale",
        words=f"{found['sentence']}{more}",
    )


def _facts(view: InspectionView) -> list[tuple[str, str]]:
    record = view.record
    kept = (
        ("Kept until", timestamp(record.expires_at))
        if record.uploaded
        else ("Kept", "it stays where it is on the server")
    )
    return [
        ("Weights", view.candidate.name),
        ("Parameters", number(view.candidate.parameters)),
        ("SHA-256", record.inspection.sha256),
        kept,
    ]
