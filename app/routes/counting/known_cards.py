"""Cards about a counted image beside its equation: the truth, counts by their names, the equations of its gallery."""

from fractions import Fraction

from app.routes.counting.bench import Bench
from app.routes.counting.context import (
    BandRow,
    CounterRow,
    EquationsCard,
    KindRow,
    NamedCard,
    NamedRow,
    Score,
    TruthCard,
)
from app.routes.pictures import Tile, thumbnail
from app.services.checkpoints.measures import MeasureCell
from app.services.counting.equations import GalleryEquations
from app.services.counting.readouts import PREDICTORS, NamedCounts
from app.services.counting.service import Counted
from app.services.counting.truth import Counter, CountTruth, KindLine
from app.web.axes import short
from app.web.formats import count, number
from models.scans.best_equations import Band, BandedEquation

# What is counted by each way of counting.
WAYS = {"oracle": "shares seen there", "network": "total of φ", "edge energy": "sum of |∇|"}


def truth_card(bench: Bench, truth: CountTruth | None) -> TruthCard | None:
    """What is truly in the crop, and three ways of counting it."""
    if truth is None:
        return None
    _, network, edges = truth.counters
    followed = ""
    if edges.follows is not None:
        scenes, rho = count(truth.images, "scene"), number(edges.follows, 2)
        followed = f"; over {scenes} it follows their number with ρ = {rho}"
        followed += f", the network with {number(network.follows, 2)}"
    only = "; annotated things only" if truth.annotated else ""
    return TruthCard(
        note=f"what lies in the network's crop and in its four tiles{only}",
        kinds=[_kind(line) for line in truth.kinds],
        counters=[_counter(row) for row in truth.counters],
        followed=followed,
        scan=truth.scan or "",
        scan_page=bench.settings.url(f"/scans/{truth.scan}"),
        gallery=bench.gallery or "",
    )


def _kind(line: KindLine) -> KindRow:
    return KindRow(line.kind, [_amount(value) for value in (line.whole, *line.tiles, sum(line.tiles, Fraction(0)))])


def _amount(value: Fraction) -> str:
    known = float(value)
    return f"{known:.0f}" if known.is_integer() else f"{known:.2f}"


def _counter(row: Counter) -> CounterRow:
    apart = round(row.whole - row.total, 6)
    counts = [number(value) for value in (row.whole, *row.tiles, row.total, row.ratio, apart, row.adds)]
    return CounterRow(row.name, WAYS[row.name], row.name == "network", [*counts, number(row.follows, 2)])


def named_card(bench: Bench, named: NamedCounts | None, truth: CountTruth | None) -> NamedCard | None:
    """The counts by their names; if there is no readout but the truth is known, the gallery to fit one on."""
    if named is None:
        gallery = bench.params.gallery
        return NamedCard("", "", False, [], [], "", gallery) if gallery and truth is not None else None
    readout = named.readout
    fitted = f"fitted on {count(readout.fitted, 'scene')} of {readout.gallery}"
    return NamedCard(
        note=f"a non-negative linear map of the count vector, {fitted}",
        sentence=named.sentence,
        truly=truth is not None,
        rows=[
            NamedRow(
                row.name,
                f"{row.read:.1f}",
                "–" if row.truth is None else f"{row.truth:.1f}",
                [_score(row.r2[name]) for name in PREDICTORS],
            )
            for row in named.rows
        ],
        together=[_score(named.together[name]) for name in PREDICTORS],
        tested=count(readout.tested, "scene"),
        gallery="",
    )


def _score(cell: MeasureCell | None) -> Score:
    if cell is None or cell.value is None:
        return Score("–", "")
    interval = "" if cell.interval is None else f"{cell.interval[0]:.2f} to {cell.interval[1]:.2f}"
    return Score(f"{cell.value:.2f}", interval)


def equations_card(bench: Bench, found: GalleryEquations, counted: Counted | None) -> EquationsCard | None:
    """The best and the worst equations in each third of the images by magnitude; None without a gallery."""
    if bench.gallery is None:
        return None
    return EquationsCard(
        gallery=bench.gallery,
        scan=found.scan or "",
        scan_page=bench.settings.url(f"/scans/{found.scan}"),
        bands=[_band(bench, band, counted) for band in found.bands],
    )


def _band(bench: Bench, band: Band, counted: Counted | None) -> BandRow:
    params = bench.params
    asked = counted is not None and bool(params.gallery) and params.row is not None
    here = counted is not None and asked and band.low <= counted.tiles_norm <= band.high
    empty = f", {number(band.empty)} more count nothing" if band.empty else ""
    images = f"{number(band.low)} to {number(band.high)}; {count(band.images, 'image')}{empty}"
    return BandRow(
        name=band.name,
        about=f"{images}; median {number(band.median, 2)}",
        here=f"this image: {number(counted.answer.relative, 2)}" if counted is not None and here else "",
        sides=[[_tile(bench, item) for item in items] for items in (band.best, band.worst)],
    )


def _tile(bench: Bench, item: BandedEquation) -> Tile:
    """An image of the gallery, with its relative residual below it."""
    src = thumbnail(bench.settings, bench.gallery or "", item.row)
    return Tile(item.row, src, bench.image_link(item.row), short(float(f"{item.relative:.2g}")), None)
