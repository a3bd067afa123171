"""The cards of one counted image: its inputs, its units, the totals, the loss, other images, nested crops."""

from collections.abc import Sequence

from app.routes.counting.bench import Bench, Partner
from app.routes.counting.charts import (
    TILE_NAMES,
    crop_curve,
    draw,
    strangers_histogram,
    totals_scatter,
    units_scatter,
)
from app.routes.counting.context import (
    AreaLink,
    BarsCard,
    CropCurveCard,
    InputsCard,
    InputView,
    LossCard,
    OtherImage,
    ScatterCard,
    StrangersCard,
    UnitLine,
)
from app.routes.pictures import thumbnail
from app.routes.scans.stats import Stat
from app.services.counting.service import AREAS, EMPTY_CONTRAST, Counted
from app.services.query_images import QueryImage
from app.web.choices import Choice
from app.web.formats import number, percent
from models.answers import CurvePoint
from models.card import Reference
from models.counting.additivity import additivity
from models.geometry import nested_square

TYPICAL_TIMES = 4  # by so much normalisation multiplies the contrast of a typical photo
WARNINGS = {
    "enlarged": "The crop has fewer pixels than the network was trained on, so it was enlarged before it was cut: "
    "enlarging blurs the tiles more than the whole, and the counts are less reliable.",
    "tiny_image": "This image is tiny: there is hardly anything in it to count.",
}


def warning(name: str, counted: Counted) -> tuple[str, str]:
    """A warning in words, and the colour it is shown in."""
    if name.startswith("frames_ignored"):
        return "Only the first frame of this animation is counted.", "info"
    if name == "low_contrast":
        inputs = counted.answer.inputs
        text = (
            f"This crop is almost empty: its contrast is {number(inputs.contrast, 2)}, below {EMPTY_CONTRAST}. "
            f"Normalisation multiplies it by {number(1 / inputs.divisor, 2)} (a typical photo by {TYPICAL_TIMES}), "
            "noise and JPEG errors with it, so what is counted here may not be in the picture."
        )
        return text, "warn"
    return WARNINGS.get(name, name), "warn"


def stats(counted: Counted) -> list[Stat]:
    """The counting equation as a row of numbers."""
    answer = counted.answer
    return [
        Stat("Whole counts", number(counted.whole_total), "total of φ(Dx)"),
        Stat("Tiles count together", number(counted.tiles_total), "total of Σ φ(Tⱼx)"),
        Stat("A quarter of that", number(counted.tiles_total / 4), "what an averager would say"),
        Stat("Additivity ratio", number(counted.additivity), "1 adds up, 0.25 averages"),
        Stat("Residual", number(counted.residual), "‖φ(Dx) − Σ φ(Tⱼx)‖"),
        Stat("Relative", number(answer.relative), "squared, over ‖φ(Dx)‖²"),
        Stat("Units that count", str(len(counted.active)), f"of {len(answer.whole)}"),
        Stat("Contrast", number(answer.inputs.contrast, 2), "of the crop, before normalisation"),
    ]


def inputs_card(bench: Bench, counted: Counted) -> InputsCard:
    """The five inputs of the network, pixel by pixel, all on the same scale."""
    inputs, tiles = counted.answer.inputs, counted.answer.tiles
    side = int(inputs.pixels.shape[1])

    def one(kind: str, part: str, name: str, total: float) -> InputView:
        return InputView(kind, name, bench.api("/input.png", part=part), number(total))

    return InputsCard(
        note=f"five inputs of {side} × {side} px, all normalised alike",
        side=side,
        inputs=[
            one("whole", "whole", "D(x), the whole halved", counted.whole_total),
            *(
                one(f"tile-{place}", name.replace(" ", "-"), f"{name} tile", float(tiles[place].sum()))
                for place, name in enumerate(TILE_NAMES)
            ),
        ],
        mean=number(inputs.mean, 2),
        contrast=number(inputs.contrast, 2),
        times=number(1 / inputs.divisor, 2),
    )


def bars_card(counted: Counted, unit_href: str | None) -> BarsCard:
    """A pair of bars for each unit, largest counts first, and the same as a table."""
    figure = draw(counted.answer, counted.active, unit_href)
    hidden = f"; {figure.hidden} fainter units not drawn" if figure.hidden else ""
    lines = [
        UnitLine(
            unit.unit,
            unit.href or "",
            [number(value) for value in (unit.whole, *unit.tiles, unit.total, unit.residual)],
        )
        for unit in figure.units
    ]
    return BarsCard(f"one pair of bars a unit, most first{hidden}", figure, lines, unit_href is not None)


def scatter_card(counted: Counted, reference: Reference | None, unit_href: str | None) -> ScatterCard:
    """The whole against the sum of the tiles: by two norms, unit by unit, and among held-out images."""

    def row(name: str, whole: float, tiles: float) -> tuple[str, list[str]]:
        return name, [number(value) for value in (whole, tiles, tiles / 4, additivity(whole, tiles))]

    return ScatterCard(
        rows=[
            row("Total count, |·|₁", counted.whole_total, counted.tiles_total),
            row("Norm, ‖·‖₂", counted.whole_norm, counted.tiles_norm),
        ],
        units=units_scatter(counted, unit_href),
        totals=None if reference is None else totals_scatter(counted, reference),
    )


def loss_card(bench: Bench, counted: Counted, other: Partner | None) -> LossCard:
    """The training loss of x and another image y: L = pull + push, in numbers."""
    shown = None if other is None or bench.source is None else _other(bench, counted, other, bench.source.record.rows)
    return LossCard(number(counted.margin), number(counted.answer.squared), shown)


def _other(bench: Bench, counted: Counted, other: Partner, rows: int) -> OtherImage:
    loss, after = other.loss, (other.row + 1) % rows
    another = (after + 1) % rows if after == bench.params.row else after  # x itself is left out
    return OtherImage(
        name=f"row {other.row} of {other.gallery}",
        href=bench.image_link(other.row, other.gallery),
        src=thumbnail(bench.settings, other.gallery, other.row),
        pull=number(loss.pull),
        apart=number(loss.apart),
        push=number(loss.push),
        loss=number(loss.loss),
        above=loss.loss > counted.margin,
        another=f"{bench.link(other=another)}#loss",
    )


def strangers_card(counted: Counted) -> StrangersCard | None:
    """The residual among those of other images of similar norm; None if no such images are known."""
    known, rank = counted.strangers, counted.rank
    if known is None or rank is None:
        return None
    fit = "none fits"
    if rank.closer:
        fit = f"{rank.closer} ({percent(rank.share)}) {'fits' if rank.closer == 1 else 'fit'}"
    return StrangersCard(
        residual=number(counted.residual),
        pairs=rank.pairs,
        low=number(known.norms[0]),
        high=number(known.norms[1]),
        norm=number(counted.whole_norm),
        fit=fit,
        chart=strangers_histogram(counted),
        known=known.known,
    )


def curve_card(bench: Bench, image: QueryImage, points: Sequence[CurvePoint]) -> CropCurveCard:
    """Counts of squares about the image's centre, each inside the next, and links to count one of them."""
    first, last, area = points[0], points[-1], bench.params.area
    grew = ""
    if first.total > 0:
        grew = f", {number(last.total / first.total, 2)} times as much where the area grew "
        grew += f"{number(last.area / first.area, 2)} times"
    sums = f"over {percent(first.area)} of the area the counts sum to {number(first.total)}"
    links = [
        AreaLink(
            Choice(percent(share), bench.link(area=share, box=None), share == area),
            " ".join(str(edge) for edge in (share, *nested_square(image.width, image.height, share))),
        )
        for share in AREAS
    ]
    return CropCurveCard(
        sentence=f"{sums}, over {percent(last.area)} to {number(last.total)}{grew}.",
        chart=crop_curve(tuple(points), area),
        shown=percent(area) if area else "the network's own",
        value=area or AREAS[-1],
        areas=links,
    )
