"""What the counting bench shows: the variables of count.html."""

from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.routes.counting.charts import CountFigure
from app.routes.pictures import Picture, Tile
from app.routes.scans.stats import Stat
from app.services.evaluations.carry_over import TwoByTwo
from app.services.evaluations.service import TrainedTested
from app.services.galleries.seen import Seen
from app.web.choices import Choice
from app.web.frame import PageContext
from app.web.waiting import Waiting
from models.geometry import Box


@dataclass(frozen=True)
class TileFrame:
    """Where a tile of the crop lies in the image."""

    x: float
    y: float
    side: float


@dataclass(frozen=True)
class ImageCard:
    """The image on the bench; `crop` and its tiles once it is counted. Links are empty where they lead nowhere."""

    picture: Picture
    crop: Box | None
    tiles: list[TileFrame]
    seen: bool
    own_crop: str
    search: str
    about: str


@dataclass(frozen=True)
class CountForm:
    """The form's fields."""

    action: str
    hidden: list[tuple[str, object]]
    kernels: tuple[str, ...]
    kernel: str
    box: str
    region: str


@dataclass(frozen=True)
class InputView:
    """One of the five inputs as the network saw it."""

    kind: str
    name: str
    src: str
    counts: str


@dataclass(frozen=True)
class InputsCard:
    """What the network saw."""

    note: str
    side: int
    inputs: list[InputView]
    mean: str
    contrast: str
    times: str


@dataclass(frozen=True)
class UnitLine:
    """A unit's counts: whole, the four tiles, together, and the difference."""

    unit: int
    href: str
    counts: list[str]


@dataclass(frozen=True)
class BarsCard:
    """Whole against tiles, unit by unit; `linked`: units lead to their images."""

    note: str
    figure: CountFigure
    lines: list[UnitLine]
    linked: bool


@dataclass(frozen=True)
class ScatterCard:
    """Adds or averages: `rows` are a name, whole, sum, a quarter of the sum, and the ratio."""

    rows: list[tuple[str, list[str]]]
    units: Markup
    totals: Markup | None


@dataclass(frozen=True)
class KindRow:
    """What is truly in the crop of one kind: whole, tiles, sum."""

    kind: str
    counts: list[str]


@dataclass(frozen=True)
class CounterRow:
    """One way of counting, with what it is."""

    name: str
    what: str
    own: bool
    counts: list[str]


@dataclass(frozen=True)
class TruthCard:
    """Against the truth; `followed` is said where a scan tells how the counters follow the number of objects."""

    note: str
    kinds: list[KindRow]
    counters: list[CounterRow]
    followed: str
    scan: str
    scan_page: str
    gallery: str


@dataclass(frozen=True)
class Score:
    """R2 of a predictor with its interval."""

    value: str
    interval: str


@dataclass(frozen=True)
class NamedRow:
    """One name: what is read, what is truly there, and R2 by predictor."""

    name: str
    read: str
    truly: str
    scores: list[Score]


@dataclass(frozen=True)
class NamedCard:
    """Counts by their names; without rows a readout can be fitted on `gallery`."""

    note: str
    sentence: str
    truly: bool
    rows: list[NamedRow]
    together: list[Score]
    tested: str
    gallery: str


@dataclass(frozen=True)
class OtherImage:
    """The other image y of the loss, and what the loss makes of both; `another` is the next y to try."""

    name: str
    href: str
    src: str
    pull: str
    apart: str
    push: str
    loss: str
    above: bool
    another: str


@dataclass(frozen=True)
class LossCard:
    """The training loss of this image; without another image only the pull is known."""

    margin: str
    pull: str
    other: OtherImage | None


@dataclass(frozen=True)
class StrangersCard:
    """The residual beside what other images of the same magnitude would leave."""

    residual: str
    pairs: int
    low: str
    high: str
    norm: str
    fit: str
    chart: Markup | None
    known: int


@dataclass(frozen=True)
class AreaLink:
    """A centred crop by its share of the area."""

    choice: Choice
    box: str


@dataclass(frozen=True)
class CropCurveCard:
    """How much nested crops count."""

    sentence: str
    chart: Markup
    shown: str
    value: float
    areas: list[AreaLink]


@dataclass(frozen=True)
class ResultCards:
    """One image counted."""

    warnings: list[tuple[str, str]]
    stats: list[Stat]
    inputs: InputsCard
    bars: BarsCard
    scatter: ScatterCard
    truth: TruthCard | None
    named: NamedCard | None
    loss: LossCard
    strangers: StrangersCard | None
    curve: CropCurveCard


@dataclass(frozen=True)
class BandRow:
    """A third of the gallery with its best and its worst equations; `here` is said of the image on the bench."""

    name: str
    about: str
    here: str
    sides: list[list[Tile]]


@dataclass(frozen=True)
class EquationsCard:
    """The best and the worst equations of a gallery; without a scan there is a form that makes one."""

    gallery: str
    scan: str
    scan_page: str
    bands: list[BandRow]


@dataclass(frozen=True)
class CountStart:
    """Other images of the gallery, or images to start from."""

    title: str
    href: str
    tiles: list[Tile]
    seen: Seen | None
    others: str


@dataclass(frozen=True)
class CountContext(PageContext):
    """The counting bench of a checkpoint."""

    template: ClassVar[str] = "count.html"
    slug: str
    name: str
    others: list[tuple[str, str]]
    twin: str
    busy: Waiting | None
    drop: str
    image: ImageCard | None
    how: CountForm | None
    result: ResultCards | None
    equations: EquationsCard | None
    tested: TrainedTested
    carried: TwoByTwo
    start: CountStart | None
