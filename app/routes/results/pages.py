"""What the page of the probes shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

from app.routes.results.shapes import Gains
from app.services.results import published_results as published
from app.services.results.published_results import Linear, Published
from app.services.results.service import HOW_WORDS, MeasuredRow, ResultColumn, Results, TableChoice
from app.services.services import Services
from app.settings import Settings
from app.web.formats import count, number
from app.web.frame import PageContext
from models.probes.comparison import Difference, Differences
from models.probes.results import How, ProbeScore

# Numbers of training steps that the form for a probe offers.
STEPS = (100, 200, 600, 2000, 10_000, 140_000)


@dataclass(frozen=True)
class ResultsRequest:
    """What the address asks for: two rows to compare, and what is chosen in the form for a probe; empty if nothing."""

    a: str
    b: str
    checkpoint: str
    gallery: str


@dataclass(frozen=True)
class ScoreCell:
    """A score in percent with its 95 % interval, and its standard deviation over `seeds` runs.

    `best`: it is that of the row's best layer.
    """

    value: str
    interval: str
    spread: str
    seeds: int
    best: bool


@dataclass(frozen=True)
class GainCell:
    """A difference in percentage points with its 95 % interval; `sure`: the interval does not include 0."""

    value: str
    interval: str
    sure: bool


@dataclass(frozen=True)
class TestCell:
    """How many images only the first and only the second row has right, and the p-value of McNemar's test."""

    counts: str
    p: str


@dataclass(frozen=True)
class ResultRow:
    """A checkpoint or a control, with a score for each layer.

    `whole`: it has a single score instead of one for each layer. `heads`: it is the first of the controls. `gain` is
    how much its best layer gains over the untrained network, None if that was not probed.
    """

    heads: bool
    name: str
    href: str
    note: str
    warning: str
    whole: bool
    scores: Sequence[ScoreCell | None]
    gain: GainCell | None


@dataclass(frozen=True)
class ResultGroup:
    """The table of one classifier."""

    title: str
    layers: Sequence[str]
    rows: Sequence[ResultRow]


@dataclass(frozen=True)
class ResultTable:
    """The table that is shown, in a group for each classifier.

    `gains`: it has a column of gains over the untrained network. `guess` is what guessing reaches, in percent; `how`
    says how all was measured.
    """

    title: str
    note: str
    groups: Sequence[ResultGroup]
    gains: bool
    guess: str
    guess_note: str
    how: str


@dataclass(frozen=True)
class PairField:
    """The menu of one of the two rows to compare; an option is (value, text, whether it is chosen)."""

    name: str
    title: str
    options: Sequence[tuple[str, str, bool]]


@dataclass(frozen=True)
class PairForm:
    """The form that compares two rows of the table."""

    gallery: str
    protocol: str
    fields: Sequence[PairField]


@dataclass(frozen=True)
class GapCell:
    """The difference of two rows, and McNemar's test of it; None if the test cannot be made."""

    gain: GainCell
    test: TestCell | None


@dataclass(frozen=True)
class ComparedRows:
    """The scores of the first row minus those of the second.

    A line is for one layer and has a cell for each classifier; `best` has the differences between the best layers.
    """

    warning: str
    classifiers: Sequence[str]
    lines: Sequence[tuple[str, Sequence[GapCell]]]
    best: Sequence[GapCell]
    names: tuple[str, str]


@dataclass(frozen=True)
class ProbeForm:
    """The checkpoints that can be probed, the galleries, the numbers of steps, and what is chosen of each."""

    checkpoints: Sequence[tuple[str, str]]
    checkpoint: str
    galleries: Sequence[tuple[str, str]]
    gallery: str
    steps: Sequence[int]
    step: int


@dataclass(frozen=True)
class PublishedRow:
    method: str
    marks: Sequence[str]
    numbers: Sequence[str]
    source: str


@dataclass(frozen=True)
class LinearRow:
    target: str
    network: str
    numbers: Sequence[str]


@dataclass(frozen=True)
class ResultsContext(PageContext):
    """One table of probes, two of its rows compared, and results from papers.

    `table` is None if nothing was probed yet. `tables` are links to the other tables, empty if there is only one.
    `linear` are published results of linear probes.
    """

    template: ClassVar[str] = "results.html"
    csv: str
    json: str
    tables: Sequence[tuple[str, str, bool]]
    table: ResultTable | None
    pair: PairForm | None
    compared: ComparedRows | None
    probe: ProbeForm
    published: Sequence[PublishedRow]
    footnotes: Sequence[tuple[str, str]]
    linear: Sequence[LinearRow]


def results_context(
    services: Services, found: Results | None, compared: Differences | None, asked: ResultsRequest, settings: Settings
) -> ResultsContext:
    """The page with the table `found`, and with the comparison of two rows if it was asked for."""
    gains = services.results.gains(found) if found is not None else {}
    choices = services.results.choices()
    return ResultsContext(
        csv="" if found is None else settings.url(f"/api/results.csv?{_query(found.choice)}"),
        json=settings.url("/api/results" if found is None else f"/api{address(found, a=asked.a, b=asked.b)}"),
        tables=[_choice(one, found, settings) for one in choices] if found and len(choices) > 1 else [],
        table=None if found is None else _table(found, gains, settings),
        pair=None if found is None or len(found.rows) < 2 else _pair(found, asked),
        compared=None if compared is None else _compared(compared),
        probe=_probe(services, found, asked),
        published=[_published(row) for row in published.VOC],
        footnotes=list(published.FOOTNOTES.items()),
        linear=[_linear(row) for row in published.LINEAR],
    )


def address(found: Results, **more: str) -> str:
    """The address of the page of a table, with `more` parameters that are not empty."""
    query = {"gallery": found.choice.gallery, "protocol": found.choice.protocol.key, **more}
    return f"/results?{urlencode({name: value for name, value in query.items() if value})}"


def _query(choice: TableChoice) -> str:
    return f"gallery={choice.gallery}&protocol={choice.protocol.key}"


def _choice(one: TableChoice, found: Results, settings: Settings) -> tuple[str, str, bool]:
    chosen = one.protocol.key == found.choice.protocol.key and one.gallery == found.choice.gallery
    return f"{one.gallery}: {one.words}", settings.url(f"/results?{_query(one)}"), chosen


def percent_of(value: float) -> str:
    """A score in percent with one decimal, as in papers: 34.5."""
    return f"{100 * value:.1f}"


def points(value: float) -> str:
    """A difference of scores in percentage points: +1.2."""
    return f"{100 * value:+.1f}"


def _table(found: Results, gains: Gains, settings: Settings) -> ResultTable:
    about = found.about
    images = f"{count(about.tested, 'test image')}, {len(about.classes)} classes"
    return ResultTable(
        title=f"{found.choice.gallery}, {about.measure} in percent",
        note=f"{images}; 95 % interval below each score",
        groups=[
            ResultGroup(
                HOW_WORDS[how],
                [column.layer for column in group],
                [_row(found, place, how, group, gains, settings) for place in range(len(found.rows))],
            )
            for how, group in found.columns.items()
        ],
        gains=bool(gains),
        guess=percent_of(about.chance),
        guess_note="mean prevalence of the classes" if about.several else "always the most frequent class",
        how=_how(found),
    )


def _how(found: Results) -> str:
    """How the scores of the table were measured, as one paragraph."""
    about, how = found.about, found.choice.protocol
    sizes = f"{number(about.learned)} images to learn from, {number(about.tested)} to test on"
    crops = f"Crops of {about.side} px, {count(how.views, 'crop')} of each image to learn from"
    steps = f"{number(how.steps)} steps of {how.batch} images (the paper takes 140,000)"
    seeds = ", ".join(str(seed) for seed in how.seeds)
    unless = ", unless its row says otherwise" if any(row.warning for row in found.rows) else ""
    return (
        f"{about.part[0].upper()}{about.part[1:]}: {sizes}. {crops}. "
        f"Linear: maps at about 9,000 numbers, normalised by channel, {steps}, seeds {seeds}; the mean over seeds. "
        f"Neighbours: {how.k} nearest by the cosine of the mean over space, T = {how.temperature}; "
        "no chance in them, so no spread. "
        f"Weights and statistics of every network were the same before and after, by their SHA-256{unless}."
    )


def _row(
    found: Results, place: int, how: How, group: Sequence[ResultColumn], gains: Gains, settings: Settings
) -> ResultRow:
    row = found.rows[place]
    probe, line = row.probe, gains.get(row.probe.row, {}).get(how)
    columns = group[:1] if row.whole else group
    return ResultRow(
        heads=row.control and (place == 0 or not found.rows[place - 1].control),
        name=probe.name,
        href=settings.url(f"/checkpoints/{probe.checkpoint}") if probe.checkpoint else "",
        note="" if row.whole else _row_note(found, row),
        warning=row.warning,
        whole=row.whole,
        scores=[_score(row.score(column), best=not row.whole and row.best(how) == column.layer) for column in columns],
        gain=None if line is None else _gain(line),
    )


def _row_note(found: Results, row: MeasuredRow) -> str:
    twins = found.twins(row)
    if twins:
        return f"before {', '.join(twins)}"
    return row.probe.row if row.control else row.probe.architecture


def _score(score: ProbeScore | None, *, best: bool) -> ScoreCell | None:
    if score is None:
        return None
    return ScoreCell(
        value=percent_of(score.value),
        interval=f"{percent_of(score.low)} to {percent_of(score.high)}",
        spread="" if score.spread is None else percent_of(score.spread),
        seeds=len(score.seeds),
        best=best,
    )


def _gain(line: Difference) -> GainCell:
    estimate = line.estimate
    return GainCell(
        points(estimate.value), f"{points(estimate.low)} to {points(estimate.high)}", sure=line.beyond_chance
    )


def _pair(found: Results, asked: ResultsRequest) -> PairForm:
    fields = [
        PairField(
            name,
            name.upper(),
            [
                (row.probe.row, _row_words(found, row), row.probe.row == value or (not value and place == otherwise))
                for place, row in enumerate(found.rows)
            ],
        )
        for name, value, otherwise in (("a", asked.a, 0), ("b", asked.b, 1))
    ]
    return PairForm(found.choice.gallery, found.choice.protocol.key, fields)


def _row_words(found: Results, row: MeasuredRow) -> str:
    if not row.control:
        return row.probe.name
    twins = found.twins(row)
    return f"{row.probe.name} (control{', before ' + ', '.join(twins) if twins else ''})"


def _compared(found: Differences) -> ComparedRows:
    linear, neighbours = ([line for line in found.lines if line.how == how] for how in ("linear", "knn"))
    kinds = f"{found.first.architecture} and {found.second.architecture}"
    warning = f"Two architectures ({kinds}): a difference is of networks and tasks together."
    return ComparedRows(
        warning="" if found.same_backbone else warning,
        classifiers=[HOW_WORDS[how] for how in found.best],
        lines=[(_layers(one), [_gap(one), _gap(other)]) for one, other in zip(linear, neighbours, strict=True)],
        best=[_gap(line) for line in found.best.values()],
        names=(found.first.name, found.second.name),
    )


def _layers(line: Difference) -> str:
    return line.first if line.first == line.second else f"{line.first} against {line.second}"


def _gap(line: Difference) -> GapCell:
    test = line.test
    told = None if test is None else TestCell(f"{number(test.first)} : {number(test.second)}", f"p = {test.p:.2g}")
    return GapCell(_gain(line), told)


def _probe(services: Services, found: Results | None, asked: ResultsRequest) -> ProbeForm:
    """The form for a probe. Its galleries include those that have neither labels nor counts."""
    return ProbeForm(
        checkpoints=services.checkpoints.choices(),
        checkpoint=asked.checkpoint,
        galleries=[item.pair for item in services.galleries.filled()],
        gallery=asked.gallery or ("" if found is None else found.choice.gallery),
        steps=STEPS,
        step=600 if found is None else found.choice.protocol.steps,
    )


def _published(row: Published) -> PublishedRow:
    numbers = [_one_place(value) for value in (row.fc, row.all, row.detection, row.segmentation)]
    return PublishedRow(row.method, row.notes.split(), numbers, row.source)


def _linear(row: Linear) -> LinearRow:
    return LinearRow(row.target, row.network, [_one_place(value) for value in row.layers])


def _one_place(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
