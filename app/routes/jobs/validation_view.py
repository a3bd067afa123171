"""What the page of a training shows of its last validation on held-out images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from app.services.training.progress import ImageView, ValidationView
from app.settings import Settings
from app.web.charts import line_chart
from app.web.formats import number

NOISE = "noise 1.41"  # the total-variation ratio of white noise
COLLAPSED = (
    "Collapsed: the held-out loss is {loss:.3f} with nearly no error in the equation. "
    "The network counts nothing, so every image costs the whole margin of 10."
)


@dataclass(frozen=True)
class ValidationFact:
    """A measure; `aside` says what to compare it with, `also` is a second value, empty for most."""

    name: str
    aside: str
    value: str
    also: str


@dataclass(frozen=True)
class ValidationPicture:
    """One view of the fixed image, with the total that the network counts in it."""

    name: str
    src: str
    total: str


@dataclass(frozen=True)
class Totals:
    """What a network that counts makes of the fixed image: its counts of the whole and of the tiles.

    `ratio` is the whole over the tiles now, `first_ratio` that at the validation at `first_step`; `history` is the
    chart of both sides.
    """

    whole: ValidationPicture
    tiles: Sequence[ValidationPicture]
    whole_total: str
    tiles_total: str
    ratio: str
    first_step: str
    first_ratio: str
    history: Markup


@dataclass(frozen=True)
class ValidationPanel:
    """The measures, and the fixed image that is shown at every validation.

    `totals` is given for a network that counts. For others `question` is what the task asks about the `pictures`.
    """

    note: str
    facts: Sequence[ValidationFact]
    image: str
    href: str
    gallery: str
    question: str
    pictures: Sequence[ValidationPicture]
    totals: Totals | None


def validation_panel(found: ValidationView, job: int, settings: Settings) -> ValidationPanel:
    """The last validation of a training."""
    pictures = [_picture(item, job, settings) for item in found.views]
    scored = "; scored with the paper's loss, M = 10" if found.counts else ""
    return ValidationPanel(
        note=f"at step {number(found.latest.step)}, on {found.images} of them{scored}",
        facts=_counting_facts(found.latest.measures) if found.counts else _facts(found),
        image=f"image {found.row}",
        href=settings.url(f"/galleries/{found.gallery}/images/{found.row}"),
        gallery=found.gallery,
        question=found.question,
        pictures=pictures,
        totals=_totals(found, pictures) if found.counts else None,
    )


def collapsed_words(found: ValidationView) -> str:
    """The notice that a network counts nothing; empty if it does count."""
    return COLLAPSED.format(loss=found.latest.measures["held_out_loss"]) if found.collapsed else ""


def _picture(item: ImageView, job: int, settings: Settings) -> ValidationPicture:
    address = settings.url(f"/api/jobs/{job}/views/{item.picture}.png")
    return ValidationPicture(item.name, address, number(item.total, 3))


def _totals(found: ValidationView, pictures: Sequence[ValidationPicture]) -> Totals:
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


def _facts(found: ValidationView) -> list[ValidationFact]:
    """The measures of a task other than counting, beside what guessing reaches."""
    return [
        ValidationFact(_named(name), _aside(name, found.guessed), number(value, 3), "")
        for name, value in found.latest.measures.items()
    ]


def _named(name: str) -> str:
    words = name.replace("held_out_", "").replace("conv1_tv_ratio", "first filters, TV ratio")
    return words.replace("_", " ").capitalize()


def _aside(name: str, guessed: Mapping[str, float]) -> str:
    if name in guessed:
        return f"guessing {number(guessed[name], 3)}"
    return NOISE if name == "conv1_tv_ratio" else ""


def _counting_facts(now: Mapping[str, float]) -> list[ValidationFact]:
    loss, pull, push = (_places(now.get(f"held_out_{name}"), 3) for name in ("loss", "pull", "push"))
    averaging, units = _places(now.get("r2_averaging"), 2), now.get("firing_units")
    return [
        ValidationFact("Loss", "10.000 counts nothing", loss, ""),
        ValidationFact("Pull and push", "", f"{pull} + {push}", ""),
        ValidationFact("Additivity ratio", "adding 1, averaging .25", _places(now.get("additivity_ratio"), 2), ""),
        ValidationFact("R² of adding", "and of averaging", _places(now.get("r2_adding"), 2), averaging),
        ValidationFact("Active units", "fire on more than 5 %", number(units), ""),
        ValidationFact("First filters, TV ratio", NOISE, _places(now.get("conv1_tv_ratio"), 2), ""),
    ]


def _places(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:.{places}f}"
