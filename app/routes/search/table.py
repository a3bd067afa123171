"""The table of how well each space retrieves, as the search page shows it."""

from dataclasses import dataclass

from app.routes.search.rows import Place, title_of
from app.services.search.quality import REFERENCE, UNTRAINED_PREFIX, Measured
from app.web.formats import count
from models.search.retrieval_quality import FacetScore, Quality
from models.statistics import Estimate

FACETS = {"kind": "kind", "number": "number", "ground": "ground", "label": "label", "photo": "same photo"}


@dataclass(frozen=True)
class PrecisionCell:
    """Precision at five by one facet, and its difference from that of raw pixels; `margin`: half an interval's width.

    `tone` is "better" or "worse" if the interval of the difference does not include 0, else empty.
    """

    value: str
    margin: str
    gain: str
    gain_margin: str
    tone: str


@dataclass(frozen=True)
class TableRow:
    """How well one space retrieves, facet by facet.

    `best`: it is searched by default. `voted` is the accuracy of the vote of 20 neighbours, empty if there are no
    labels.
    """

    title: str
    href: str | None
    best: bool
    scores: tuple[PrecisionCell, ...]
    voted: str


@dataclass(frozen=True)
class Table:
    """Precision at five by space and facet, with what guessing would reach (`chance`).

    `votes`: there is a column for the vote of neighbours. `left_out` says which images are not counted, `default` by
    what the default layer is the best.
    """

    note: str
    facets: tuple[str, ...]
    rows: tuple[TableRow, ...]
    chance: tuple[str, ...]
    votes: bool
    left_out: str
    default: str


def table(place: Place, measured: Measured) -> Table | None:
    """The table of measurements, layers first; None if nothing could be measured, or not yet."""
    quality = measured.quality
    if quality is None:
        return None
    best, facets = measured.best(place.reader.layers), tuple(quality.chance)
    rows = tuple(
        TableRow(
            title_of(space),
            None if space.startswith(UNTRAINED_PREFIX) else place.link(layer=space),
            space == best,
            tuple(_score(scores[facet], reference=space == REFERENCE) for facet in facets),
            _voted(scores[facets[0]]),
        )
        for space, scores in quality.scores.items()
    )
    queries, database = count(quality.queries, "query", "queries"), count(quality.database, "image")
    return Table(
        note=f"precision@5 over {queries} among {database}",
        facets=tuple(FACETS.get(facet, facet) for facet in facets),
        rows=rows,
        chance=tuple(f"{quality.chance[facet]:.3f}" for facet in facets),
        votes=facets == ("label",) and bool(rows[0].voted),
        left_out=_left_out(facets, unseen=measured.unseen),
        default=_default(quality),
    )


def _score(score: FacetScore, *, reference: bool) -> PrecisionCell:
    gain = score.gain
    tone = "worse" if gain.high < 0 else "better" if gain.low > 0 else ""
    shown = "" if reference else f"{gain.value:+.3f}".replace("-", "−")
    return PrecisionCell(f"{score.precision.value:.3f}", _margin(score.precision), shown, _margin(gain), tone)


def _margin(measure: Estimate) -> str:
    return f"{measure.high - measure.value:.3f}"


def _voted(score: FacetScore) -> str:
    return "" if score.voted is None else f"{score.voted:.3f}"


def _left_out(facets: tuple[str, ...], *, unseen: bool) -> str:
    if facets == ("photo",):
        said = "never count; another crop of the same photo is what is looked for."
    else:
        said = "never count, nor do images of its own source picture."
    return said + (" Images seen in training are left out." if unseen else "")


def _default(quality: Quality) -> str:
    """By what the default layer is the best, as the end of a sentence."""
    if len(quality.chance) < 2:
        return "."
    sought = " and ".join(quality.sought)
    return f" by the mean of {sought}; a space that finds the same ground has looked at the background."
