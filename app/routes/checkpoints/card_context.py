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
    """A gate in words, what it asks, and how every column does; `aim` where it is the first beyond the gates."""

    words: str
    asks: str
    beside: str
    cells: tuple[GateCell, ...]
    aim: bool


@dataclass(frozen=True)
class CardVerdict:
    """What the gates say of a checkpoint and its controls, on the images that `about` names."""

    tone: str
    sentence: str
    about: str
    warning: str
    columns: tuple[str, ...]
    lines: list[CardGateLine]


@dataclass(frozen=True)
class CountsCard:
    """Does it count? `verdict` is None where that was not measured."""

    note: str
    sources: list[Choice]
    verdict: CardVerdict | None


@dataclass(frozen=True)
class MeasuresCard:
    """All measures; a short table is open from the start."""

    note: str
    table: MeasureTable
    opened: bool


@dataclass(frozen=True)
class LayerRow:
    """A layer of the network."""

    name: str
    kind: str
    units: str
    stride: str
    field: str
    read: str


@dataclass(frozen=True)
class CurveCard:
    """A group of training curves."""

    title: str
    chart: Markup
    note: str


@dataclass(frozen=True)
class Probed:
    """A table of probes that the checkpoint is in, and its best layer there."""

    gallery: str
    href: str
    protocol: str
    best: str


@dataclass(frozen=True)
class ExportRow:
    """A form of the checkpoint: `href` is empty until a job has written it in that `format`."""

    name: str
    what: str
    href: str
    format: str


@dataclass(frozen=True)
class CheckpointContext(PageContext):
    """One checkpoint; `images` is the number that most measures are over, and `puzzle` asks its own task."""

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
