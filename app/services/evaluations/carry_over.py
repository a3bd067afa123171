"""The table of networks trained on photos or on countables and tested on both: does counting carry over?

It is made from the evaluations in checkpoints' folders. *Countables* are galleries that Tessera drew: in the workspace
those whose source says so, elsewhere those named `countables` or `countables-...`. All others are *photos*. Each column
is one gallery, the same for every row: the one that most rows were measured on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from app.services.checkpoints.measures import MeasureCell, measure_cell
from models.evaluations.files import Evaluation
from models.random_init import NAME as RANDOM_INIT

Family = Literal["photos", "countables"]
Drawn = Mapping[str, bool]  # whether Tessera drew it, by gallery of the workspace
Warnings = Mapping[tuple[str, str], str]  # by checkpoint and gallery
FIRST: Final = ("counting-photos", "counting-countables")  # bundled networks, which come before all others
CONTROLS: Final = (("random_init", "random init"), ("averager", "averager"))
FAMILIES: Final[tuple[Family, ...]] = ("photos", "countables")
PREFERRED: Final[Mapping[Family, tuple[str, ...]]] = {
    "photos": ("photos-eval", "sample-photos"),  # many photos say more than crops of a few
    "countables": ("countables",),
}


@dataclass(frozen=True)
class Candidate:
    """A checkpoint that counts, the gallery that it was trained on (None for none), and its evaluations by gallery."""

    slug: str
    name: str
    trained_on: str | None
    tests: Mapping[str, Evaluation]


@dataclass(frozen=True)
class Tested:
    """How well a network counts on one gallery, over `rows` images.

    `ratio` is the additivity ratio, `adding` and `averaging` are R² of predicting the whole by the sum of the tiles and
    by a quarter of it. `unit` and `total` are rank correlations with the number of things, over `pictures` source
    pictures (0 where not recorded); `numbers_of` is the gallery that they are from where it is another one. `warning`
    says where the gallery has changed or is not in the workspace.
    """

    gallery: str
    ratio: MeasureCell | None
    adding: MeasureCell | None
    averaging: MeasureCell | None
    unit: MeasureCell | None
    total: MeasureCell | None
    rows: int
    warning: str = ""
    pictures: int = 0
    numbers_of: str = ""


def tested(evaluation: Evaluation, column: str = "network", warning: str = "") -> Tested:
    """The figures of one column of an evaluation: the network's, or a control's."""
    found = evaluation.measures.get(column, {})
    names = ("additivity_ratio", "r2_adding", "r2_averaging", "unit_and_number", "total_and_number")
    ratio, adding, averaging, unit, total = (measure_cell(found.get(name)) for name in names)
    pictures = int(found.get("unit_and_number", {}).get("pictures") or 0)
    return Tested(evaluation.gallery, ratio, adding, averaging, unit, total, evaluation.rows, warning, pictures)


@dataclass(frozen=True)
class NetworkRow:
    """A network and the family that it was trained on, or a control, whose `family` is None.

    `slug` is None where there is no such checkpoint. A cell is None where it was not measured.
    """

    family: Family | None
    slug: str | None
    name: str
    cells: tuple[Tested | None, Tested | None]


@dataclass(frozen=True)
class FamilyColumn:
    """The gallery that stands for a family, and how many of its images were measured, 0 where none were.

    `gallery` is None where there is none; `here` says whether it is in the workspace.
    """

    family: Family
    gallery: str | None
    here: bool
    images: int = 0


@dataclass(frozen=True)
class TwoByTwo:
    """The table: two columns, two rows of networks, and two rows of controls."""

    columns: tuple[FamilyColumn, FamilyColumn]
    rows: tuple[NetworkRow, ...]
    controls: tuple[NetworkRow, ...]


def family_of(gallery: str, drawn: Drawn) -> Family:
    """The family of a gallery; `drawn` says of the galleries in the workspace whether Tessera drew them."""
    known = drawn.get(gallery)
    generated = known if known is not None else gallery == "countables" or gallery.startswith("countables-")
    return "countables" if generated else "photos"


def two_by_two(candidates: Sequence[Candidate], drawn: Drawn, warnings: Warnings) -> TwoByTwo:
    """The table from the candidates' evaluations; of several candidates bundled networks are preferred."""
    trained = {family: _network(candidates, family, drawn) for family in FAMILIES}
    known = [candidate for candidate in trained.values() if candidate is not None]
    photos, scenes = (_column(family, known, drawn) for family in FAMILIES)
    columns = photos, scenes
    rows = tuple(_row(family, trained[family], columns, drawn, warnings) for family in FAMILIES)
    controls = tuple(_control(column, name, known, columns, drawn) for column, name in CONTROLS)
    return TwoByTwo(columns, rows, controls)


def _network(candidates: Sequence[Candidate], family: Family, drawn: Drawn) -> Candidate | None:
    """The bundled network of a family, else the first that was trained on it, preferably one with evaluations."""
    of = [
        item
        for item in candidates
        if item.slug != RANDOM_INIT and item.trained_on is not None and family_of(item.trained_on, drawn) == family
    ]
    return min(of, key=lambda item: (item.slug not in FIRST, not item.tests), default=None)


def _column(family: Family, known: Sequence[Candidate], drawn: Drawn) -> FamilyColumn:
    galleries = {gallery for item in known for gallery in item.tests if family_of(gallery, drawn) == family}
    preferred = PREFERRED[family]

    def order(gallery: str) -> tuple[int, int, str]:
        place = preferred.index(gallery) if gallery in preferred else len(preferred)
        return -sum(gallery in item.tests for item in known), place, gallery

    chosen = min(galleries, key=order, default=None)
    if chosen is None:  # a gallery that can be measured on
        chosen = next((slug for slug in preferred if slug in drawn), None)
    images = next((item.tests[chosen].rows for item in known if chosen in item.tests), 0) if chosen is not None else 0
    return FamilyColumn(family, chosen, chosen in drawn, images)


def _row(
    family: Family,
    network: Candidate | None,
    columns: tuple[FamilyColumn, FamilyColumn],
    drawn: Drawn,
    warnings: Warnings,
) -> NetworkRow:
    if network is None:
        return NetworkRow(family, None, "", (None, None))
    first, second = (
        _with_numbers(network, "network", column, drawn, warnings.get((network.slug, str(column.gallery)), ""))
        for column in columns
    )
    return NetworkRow(family, network.slug, network.name, (first, second))


def _control(
    column: str, name: str, known: Sequence[Candidate], columns: tuple[FamilyColumn, FamilyColumn], drawn: Drawn
) -> NetworkRow:
    """The row of a control, from the first evaluation on each column's gallery."""
    cells = []
    for place in columns:
        network = next((item for item in known if place.gallery in item.tests), None)
        cells.append(None if network is None else _with_numbers(network, column, place, drawn, ""))
    return NetworkRow(None, RANDOM_INIT if column == "random_init" else None, name, (cells[0], cells[1]))


def _with_numbers(network: Candidate, name: str, column: FamilyColumn, drawn: Drawn, warning: str) -> Tested | None:
    """The results on a column's gallery; None where there are none.

    Where that gallery has no numbers of things, the correlations are taken from another one of its family.
    """
    if column.gallery is None or column.gallery not in network.tests:
        return None
    cell = tested(network.tests[column.gallery], name, warning)
    others = (test for slug, test in network.tests.items() if family_of(slug, drawn) == column.family)
    for other in (tested(test, name) for test in others):
        if cell.unit is None and other.unit is not None:
            return replace(cell, unit=other.unit, total=other.total, pictures=other.pictures, numbers_of=other.gallery)
    return cell
