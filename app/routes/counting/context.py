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
    """The square that a tile of the crop covers, in pixels of the image."""

    x: float
    y: float
    side: float


@dataclass(frozen=True)
class ImageCard:
    """The image on the bench. `crop` and its `tiles` are given once it is counted.

    `own_crop`, `search` and `about` are the addresses of the bench with the network's own crop, of the image's
    neighbours, and of the image's page; each is empty if there is no such page. `seen`: the image was used in training.
    """

    picture: Picture
    crop: Box | None
    tiles: list[TileFrame]
    seen: bool
    own_crop: str
    search: str
    about: str


@dataclass(frozen=True)
class CountForm:
    """The form that chooses a kernel and a box; `hidden` are fields that it sends along, `region` explains the box."""

    action: str
    hidden: list[tuple[str, object]]
    kernels: tuple[str, ...]
    kernel: str
    box: str
    region: str


@dataclass(frozen=True)
class InputView:
    """One of the five inputs as the network saw it: its picture, and the total that was counted in it."""

    kind: str
    name: str
    src: str
    counts: str


@dataclass(frozen=True)
class InputsCard:
    """The five inputs; `times` is the factor by which normalisation multiplied the contrast of the crop."""

    note: str
    side: int
    inputs: list[InputView]
    mean: str
    contrast: str
    times: str


@dataclass(frozen=True)
class UnitLine:
    """The counts of a unit: the whole, the four tiles, their sum, and the difference."""

    unit: int
    href: str
    counts: list[str]


@dataclass(frozen=True)
class BarsCard:
    """The bars of every unit and the same as a table; `linked`: units are links to their top images."""

    note: str
    figure: CountFigure
    lines: list[UnitLine]
    linked: bool


@dataclass(frozen=True)
class ScatterCard:
    """Whether the network adds or averages.

    A row of `rows` has a name and the whole, the sum of the tiles, a quarter of it, and the ratio. `totals` is the
    chart of held-out images, None if the checkpoint has none.
    """

    rows: list[tuple[str, list[str]]]
    units: Markup
    totals: Markup | None


@dataclass(frozen=True)
class KindRow:
    """How many objects of one kind are truly in the whole crop, in each tile, and in all tiles together."""

    kind: str
    counts: list[str]


@dataclass(frozen=True)
class CounterRow:
    """One way of counting, what it is, and its counts; `own`: it is the network itself."""

    name: str
    what: str
    own: bool
    counts: list[str]


@dataclass(frozen=True)
class TruthCard:
    """What is truly in the crop, beside several ways of counting it.

    `followed` says how well the ways follow the number of objects over the images of `scan`; it is empty without a
    scan.
    """

    note: str
    kinds: list[KindRow]
    counters: list[CounterRow]
    followed: str
    scan: str
    scan_page: str
    gallery: str


@dataclass(frozen=True)
class Score:
    """The R² of a predictor with its interval."""

    value: str
    interval: str


@dataclass(frozen=True)
class NamedRow:
    """One name: the count that the readout gives, the true one, and the R² of each predictor."""

    name: str
    read: str
    truly: str
    scores: list[Score]


@dataclass(frozen=True)
class NamedCard:
    """The counts by their names. Without `rows`, the card offers to fit a readout on `gallery`.

    `truly`: true counts are known. `together` has the R² over all names, measured on the scenes that `tested` counts.
    """

    note: str
    sentence: str
    truly: bool
    rows: list[NamedRow]
    together: list[Score]
    tested: str
    gallery: str


@dataclass(frozen=True)
class OtherImage:
    """The other image y of the loss, and the terms of the loss: L = pull + push.

    `apart` is |φ(Dy) − s(x)|²; `above`: the loss is larger than the margin. `another` leads to the bench with the next
    y.
    """

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
    """The residual of this image beside the residuals that other images of similar norm would leave.

    `pairs` is the number of those images, of `known` in all; `low` and `high` bound their norms, `norm` is that of this
    image. `fit` says how many fit its tiles better than its own whole.
    """

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
    """A link to a centred crop with a share of the area; `box` has that share and the corners of the crop."""

    choice: Choice
    box: str


@dataclass(frozen=True)
class CropCurveCard:
    """How much nested crops count; `shown` and `value` are the share of the area that is counted now."""

    sentence: str
    chart: Markup
    shown: str
    value: float
    areas: list[AreaLink]


@dataclass(frozen=True)
class ResultCards:
    """All cards of one counted image; a card is None if what it needs is not known."""

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
    """A third of the gallery with its best and its worst equations; `here` is given if this image belongs to it."""

    name: str
    about: str
    here: str
    sides: list[list[Tile]]


@dataclass(frozen=True)
class EquationsCard:
    """The best and the worst equations of a gallery; without `scan` the card offers to make one."""

    gallery: str
    scan: str
    scan_page: str
    bands: list[BandRow]


@dataclass(frozen=True)
class CountStart:
    """Images of the gallery to count next; `seen` tells which were used in training, `others` leads to more."""

    title: str
    href: str
    tiles: list[Tile]
    seen: Seen | None
    others: str


@dataclass(frozen=True)
class CountContext(PageContext):
    """The counting bench of a checkpoint. `image`, `how` and `result` are None until there is an image.

    `others` are the (slug, name) of other checkpoints, `twin` the address of the JSON, `drop` the address that an
    uploaded image is sent to. `busy` is given while the network is being loaded.
    """

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
