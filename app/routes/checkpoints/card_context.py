"""What the page of a checkpoint shows: the variables of checkpoint.html."""

from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.services.checkpoints.measures import GateCell, KernelError, MeasureTable
from app.services.checkpoints.service import CheckpointRecord
from app.services.evaluations.carry_over import TwoByTwo
from app.services.evaluations.service import TrainedTested
from app.web.choices import Choice
from app.web.frame import PageContext

Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class CardGateLine:
    """One gate: what it is about, what it asks for, and how the checkpoint and each control do.

    `beside` is a remark, empty for most gates. `aim`: this is the first line below the required gates, of what is only
    aimed at.
    """

    words: str
    asks: str
    beside: str
    cells: tuple[GateCell, ...]
    aim: bool


@dataclass(frozen=True)
class CardVerdict:
    """What the gates say of a checkpoint and of its controls; `about` names the images, `columns` who is judged."""

    tone: str
    sentence: str
    about: str
    warning: str
    columns: tuple[str, ...]
    lines: list[CardGateLine]


@dataclass(frozen=True)
class CountsCard:
    """Whether the checkpoint counts. `sources` are links to the galleries it was evaluated on, if there are several.

    `verdict` is None if it was never evaluated; `note` says how many gates it passed.
    """

    note: str
    sources: list[Choice]
    verdict: CardVerdict | None


@dataclass(frozen=True)
class MeasuresCard:
    """The table of all measures; `opened` says whether it is unfolded when the page opens."""

    note: str
    table: MeasureTable
    opened: bool


@dataclass(frozen=True)
class LayerRow:
    """A layer of the network, all as text; `field` is its receptive field in pixels, `read` what is taken of it."""

    name: str
    kind: str
    units: str
    stride: str
    field: str
    read: str


@dataclass(frozen=True)
class CurveCard:
    """A group of training curves in one chart."""

    title: str
    chart: Markup
    note: str


@dataclass(frozen=True)
class Probed:
    """A table of probes that the checkpoint is in, and the name and accuracy of its best layer there."""

    gallery: str
    href: str
    protocol: str
    best: str


@dataclass(frozen=True)
class ExportRow:
    """A file format the checkpoint can be downloaded in; `href` is empty until a job has written that file."""

    name: str
    what: str
    href: str
    format: str


@dataclass(frozen=True)
class CheckpointContext(PageContext):
    """The page of one checkpoint.

    `here` is its address, `others` are the (slug, name) of other checkpoints, and `puzzle` is the address of the page
    that asks it puzzles of its task, empty if its task has none. `has_trunk`: it has layers with maps; `has_counts`: it
    has a counting head; `probed`: it has layers that can be probed; `filters_only`: it consists of first filters and
    cannot be run; `checkable`: it is a network whose features can be checked. `images` is the number of images that
    most measures are over, None if it is not known. `reads`: the table says how each layer is read, as it does for
    foreign checkpoints. `sanity` is the verdict with its colour, None if there was no check.
    """

    template: ClassVar[str] = "checkpoint.html"
    record: CheckpointRecord
    lead: str
    here: str
    others: list[tuple[str, str]]
    is_hog: bool
    has_trunk: bool
    has_counts: bool
    probed: bool
    filters_only: bool
    checkable: bool
    puzzle: str
    counts: CountsCard | None
    tested: TrainedTested
    carried: TwoByTwo
    measures: MeasuresCard | None
    kernels: list[KernelError]
    images: int | None
    layers_note: str
    reads: bool
    layers: list[LayerRow]
    curves: list[CurveCard]
    galleries: list[tuple[str, str]]
    sanity: tuple[str, str] | None
    sanity_words: str
    probes: list[Probed]
    preprocess: Facts
    provenance: Facts
    config: Facts
    weights: Facts
    exports: list[ExportRow]
