"""What a training saw when it last looked at held-out images, in the words and numbers that its job's page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from app.services.training.progress import ImageView, LookView
from app.settings import Settings
from app.web.charts import line_chart
from app.web.formats import number

NOISE = "noise 1.41"  # the roughness of filters that are noise
COLLAPSED = (
    "Collapsed: the held-out loss is {loss:.3f} with nearly no error in the equation. "
    "The network counts nothing, so every image costs the whole margin of 10."
)


@dataclass(frozen=True)
class LookFact:
    """A measure: `aside` says what to compare it with, `also` is a second value."""

    name: str
    aside: str
    value: str
    also: str


@dataclass(frozen=True)
class LookPicture:
    """One input of the fixed image, with what is counted in it."""

    name: str
    src: str
    total: str


@dataclass(frozen=True)
class Totals:
    """The fixed image of a network that counts: its five inputs add up, or do not."""

    whole: LookPicture
    tiles: Sequence[LookPicture]
    whole_total: str
    tiles_total: str
    ratio: str
    first_step: str
    first_ratio: str
    history: Markup


@dataclass(frozen=True)
class Looks:
    """The measures and the fixed image; `totals` where the network counts, else `question` and `pictures`."""

    note: str
    facts: Sequence[LookFact]
    image: str
    href: str
    gallery: str
    question: str
    pictures: Sequence[LookPicture]
    totals: Totals | None


def looks(found: LookView, job: int, settings: Settings) -> Looks:
    """A look as it is shown."""
    pictures = [_picture(item, job, settings) for item in found.views]
    scored = "; scored with the paper's loss, M = 10" if found.counts else ""
    return Looks(
        note=f"at step {number(found.latest.step)}, on {found.images} of them{scored}",
        facts=_counting_facts(found.latest.measures) if found.counts else _facts(found),
        image=f"image {found.row}",
        href=settings.url(f"/galleries/{found.gallery}/images/{found.row}"),
        gallery=found.gallery,
        question=found.question,
        pictures=pictures,
        totals=_totals(found, pictures) if found.counts else None,
    )


def collapsed_words(found: LookView) -> str:
    """The notice that a network counts nothing; empty where it does."""
    return COLLAPSED.format(loss=found.latest.measures["held_out_loss"]) if found.collapsed else ""


def _picture(item: ImageView, job: int, settings: Settings) -> LookPicture:
    return LookPicture(item.name, settings.url(f"/api/jobs/{job}/views/{item.picture}.png"), number(item.total, 3))


def _totals(found: LookView, pictures: Sequence[LookPicture]) -> Totals:
    return Totals(
        whole=pictures[0],
        tiles=pictures[1:],
        whole_total=number(found.whole, 3),
        tiles_total=number(found.tiles, 3),
        ratio=_places(found.ratio, 2),
        first_step=number(found.first.step),
        first_ratio=_places(found.first_ratio, 2),
        history=line_chart(found.history, label="Whole and tiles of one image", height=150),
    )


def _facts(found: LookView) -> list[LookFact]:
    """The measures of a task that does not count, beside guessing."""
    return [
        LookFact(_named(name), _aside(name, found.guessed), number(value, 3), "")
        for name, value in found.latest.measures.items()
    ]


def _named(name: str) -> str:
    words = name.replace("held_out_", "").replace("conv1_tv_ratio", "first filters, TV ratio")
    return words.replace("_", " ").capitalize()


def _aside(name: str, guessed: Mapping[str, float]) -> str:
    if name in guessed:
        return f"guessing {number(guessed[name], 3)}"
    return NOISE if name == "conv1_tv_ratio" else ""


def _counting_facts(now: Mapping[str, float]) -> list[LookFact]:
    loss, pull, push = (_places(now.get(f"held_out_{name}"), 3) for name in ("loss", "pull", "push"))
    averaging, units = _places(now.get("r2_averaging"), 2), now.get("firing_units")
    return [
        LookFact("Loss", "10.000 counts nothing", loss, ""),
        LookFact("Pull and push", "", f"{pull} + {push}", ""),
        LookFact("Additivity ratio", "adding 1, averaging .25", _places(now.get("additivity_ratio"), 2), ""),
        LookFact("R² of adding", "and of averaging", _places(now.get("r2_adding"), 2), averaging),
        LookFact("Active units", "fire on more than 5 %", number(units), ""),
        LookFact("First filters, TV ratio", NOISE, _places(now.get("conv1_tv_ratio"), 2), ""),
    ]


def _places(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:.{places}f}"
