"""What the page of a sanity check shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.services.checkpoints.preprocess_words import words_of
from app.services.checkpoints.service import CheckpointRecord
from app.settings import Settings
from app.web.formats import count, number, percent
from app.web.frame import PageContext
from models.card import Card
from models.descriptors import DESCRIPTORS
from models.sanity.report import LayerRange, Sanity, Share, Variant, Verdict

TONES: dict[Verdict, str] = {"good": "good", "bad": "bad", "unknown": "warn"}


@dataclass(frozen=True)
class Figure:
    """A share or a difference, and its uncertainty; `sure` is empty if nothing was measured."""

    value: str
    sure: str


@dataclass(frozen=True)
class VariantRow:
    """One way to prepare images, with the figures that were measured with it.

    `place` is its number in the check, None if it cannot be used for a checkpoint. `chosen`: it was the best on the
    first half of the images; `better`: it is also clearly better than the checkpoint's own.
    """

    name: str
    chosen: bool
    words: str
    figures: Sequence[Figure]
    seconds: str
    place: int | None
    better: bool


@dataclass(frozen=True)
class CheckedLayerRow:
    """Numbers of a layer and of the same layer untrained; `flag` says what is suspicious about it."""

    name: str
    numbers: Sequence[str]
    flag: str


@dataclass(frozen=True)
class FilterSmoothness:
    """How smooth the first filters are, trained and untrained, and how smooth noise is."""

    href: str
    trained: str
    untrained: str
    noise: str


@dataclass(frozen=True)
class SanityCheck:
    """One check with its verdict; `note` says what the verdict rests on, `compared` how preparations were compared."""

    tone: str
    sentence: str
    note: str
    compared: str
    advice: str
    gallery: str
    variants: Sequence[VariantRow]
    layers: Sequence[CheckedLayerRow]
    smoothness: FilterSmoothness | None


@dataclass(frozen=True)
class SanityContext(PageContext):
    """Whether a checkpoint's features make sense; `check` is None if that was not measured yet.

    `checks` are links to the checks on other galleries, as (gallery, address, whether it is shown).
    """

    template: ClassVar[str] = "sanity.html"
    name: str
    slug: str
    here: str
    json: str
    checks: Sequence[tuple[str, str, bool]]
    check: SanityCheck | None
    galleries: Sequence[tuple[str, str]]  # that it can be checked on


def sanity_context(
    record: CheckpointRecord,
    card: Card,
    found: Sanity | None,
    checks: Sequence[Sanity],
    galleries: Sequence[tuple[str, str]],
    settings: Settings,
) -> SanityContext:
    """The page, with the check `found` if there is one."""
    here, chosen = settings.url(f"/checkpoints/{record.slug}"), None if found is None else found.gallery
    several = [(it.gallery, f"{here}/sanity?on={it.gallery}", it.gallery == chosen) for it in checks]
    return SanityContext(
        name=record.name,
        slug=record.slug,
        here=here,
        json=settings.url(f"/api/checkpoints/{record.slug}/sanity"),
        checks=several if len(several) > 1 else [],
        check=None if found is None else _check(found, card, here),
        galleries=[] if card.filters_only or card.architecture in DESCRIPTORS else galleries,
    )


def _check(found: Sanity, card: Card, here: str) -> SanityCheck:
    changeable = card.head is None and card.task is None
    return SanityCheck(
        tone=TONES[found.verdict],
        sentence=found.sentence,
        note=_note(found),
        compared=f"chosen on one half of {number(found.compared)} images, scored on the other",
        advice=found.advice,
        gallery=found.gallery,
        variants=[_variant(found, place, one, changeable=changeable) for place, one in enumerate(found.variants)],
        layers=[_layer(one, before) for one, before in zip(found.layers, found.untrained_layers, strict=True)],
        smoothness=_smoothness(found, f"{here}/filters"),
    )


def _note(found: Sanity) -> str:
    """What the verdict rests on."""
    if found.own is None or found.own_untrained is None:
        return f"{count(found.images, 'image')} were looked at."
    untrained = _plus_minus(found.own_untrained)
    vote = f"{_plus_minus(found.own)} of {number(found.own.n)} images have neighbours that vote for their class"
    how = f"{found.classes} classes, {found.neighbours} neighbours, layer {found.layer}"
    return f"{vote}, {untrained} untrained; {how}."


def _plus_minus(share: Share) -> str:
    return f"{percent(share.value, 1)} ± {percent(share.error, 1)}"


def _variant(found: Sanity, place: int, one: Variant, *, changeable: bool) -> VariantRow:
    best = place == found.best
    return VariantRow(
        name=one.name,
        chosen=best and one.first is not None,
        words=words_of(one.preprocess),
        figures=[*(_share(share) for share in (one.first, one.second, one.untrained)), _points(one.gain)],
        seconds=f"{number(one.seconds, 2)} s",
        place=place if place > 0 and changeable else None,
        better=best and found.better is not None and found.better.low > 0,
    )


def _share(share: Share | None) -> Figure:
    return Figure("–", "") if share is None else Figure(percent(share.value, 1), f"± {percent(share.error, 1)}")


def _points(gain: Share | None) -> Figure:
    if gain is None:
        return Figure("–", "")
    return Figure(f"{100 * gain.value:+.1f}", f"{100 * gain.low:+.1f} to {100 * gain.high:+.1f}")


def _layer(one: LayerRange, before: LayerRange) -> CheckedLayerRow:
    own = [number(one.units), percent(one.dead, 1), number(one.mean), number(one.largest)]
    return CheckedLayerRow(one.name, [*own, percent(before.dead, 1), number(before.mean)], one.flag)


def _smoothness(found: Sanity, href: str) -> FilterSmoothness | None:
    if found.smoothness is None:
        return None
    return FilterSmoothness(href, number(found.smoothness), number(found.untrained_smoothness), number(found.noise))
