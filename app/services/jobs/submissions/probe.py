"""Checks the submission of a probe: checkpoint, labelled gallery, and protocol."""

from pathlib import Path
from typing import Any, cast

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from app.failures import BadQuery, Conflict
from app.services.jobs.submissions.inputs import card_of, must_be_network, validated
from app.services.jobs.submissions.pairs import CheckpointAndGallery, PairSpec
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from models.card import Card
from models.galleries.packs import Pack, PackDamaged
from models.probes.knn import TEMPERATURE, K
from models.probes.protocol import BATCH, LEAST_SIDE, LR, Protocol
from models.probes.results import FOLDER
from models.probes.rows import Target, Unlabelled, choose

LEAST_SEEDS = 3


class ProbeSpec(PairSpec):
    """The settings of a probe.

    `layers` None means all layers. `side` is the side of the input in pixels; None means the paper's 227, or less for
    small images. `target` says what is predicted: the label, labels of several words, or what is counted; None chooses
    by what the gallery has. `k` and `temperature` are those of the nearest-neighbour classifier.
    """

    layers: tuple[str, ...] | None = Field(None, min_length=1, max_length=200)
    controls: bool = True
    side: int | None = Field(None, ge=LEAST_SIDE, le=512)
    views: int = Field(2, ge=1, le=16)
    steps: int = Field(600, ge=1, le=1_000_000)
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=LEAST_SEEDS, max_length=20)
    train: int = Field(5000, ge=2, le=1_000_000)
    test: int = Field(2000, ge=2, le=1_000_000)
    target: Target | None = None
    k: int = Field(K, ge=1, le=1000)
    temperature: float = Field(TEMPERATURE, gt=0, le=100, allow_inf_nan=False)
    lr: float = Field(LR, gt=0, le=10, allow_inf_nan=False)
    batch: int = Field(BATCH, ge=2, le=65_536)

    @field_validator("seeds")
    @classmethod
    def apart(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        """Refuse repeated seeds, which would make the spread too small, and numbers out of range."""
        if len(set(seeds)) < len(seeds) or not all(0 <= seed < 2**32 for seed in seeds):
            raise PydanticCustomError("bad_seeds", "Name different whole numbers from 0 to 4294967295")
        return seeds


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> PreparedJob:  # noqa: ARG001 - the kinds' interface
    """Check the spec of a probe and fill in its defaults. Raises BadQuery, NotFound, Conflict.

    Where the gallery is complete its labels are checked now, so that no probe is queued that would fail for lack of
    them.
    """
    asked = validated(ProbeSpec, spec)
    pair = CheckpointAndGallery.find(store, asked)
    card = card_of(store, pair.checkpoint)
    must_be_network(card, "probe; HOG and colours are in the table of every gallery already")
    if card is not None:
        asked = _fill(asked, card)
    protocol = Protocol.of(asked.model_dump(mode="json"))
    if pair.gallery.job is None:
        _check_labels(store.path(pair.gallery.folder), protocol)
    return pair.prepared(asked, f"{FOLDER}/{asked.gallery}/{protocol.key}/{asked.checkpoint}")


def _fill(asked: ProbeSpec, card: Card) -> ProbeSpec:
    """The spec with its layers listed in forward order."""
    names = card.probed_layers
    if not names:
        raise BadQuery(
            "no_layers",
            "No image can be shown to a layer of this checkpoint; HOG and colours are in every table already.",
        )
    wanted = set(names if asked.layers is None else asked.layers)
    if unknown := sorted(wanted - set(names)):
        raise BadQuery("unknown_layer", f"There is no layer {unknown[0][:80]!r}; there are {', '.join(names)}.")
    return asked.model_copy(update={"layers": tuple(name for name in names if name in wanted)})


def _check_labels(folder: Path, protocol: Protocol) -> None:
    try:
        with Pack.open(folder) as pack:
            target = cast(Target | None, protocol.target)
            choose(pack, train=protocol.train, test=protocol.test, least=protocol.least, target=target)
    except Unlabelled as error:
        raise BadQuery(error.code, str(error)) from error
    except PackDamaged as error:
        raise Conflict(error.code, f"The gallery's files are damaged: {error}.") from error
