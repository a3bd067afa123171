"""Answers the predictor's questions: keeps the networks that were used last in memory, and computes."""

import logging
from pathlib import Path

import torch
from safetensors import SafetensorError

from app.predictor.messages import (
    Answer,
    CountRequest,
    CurveRequest,
    EmbedRequest,
    Failure,
    HeatmapRequest,
    NetworkRef,
    PoseRequest,
    Request,
)
from app.recent import Recent
from models.answers import EmbedAnswer
from models.card import CheckpointChanged, NotACheckpoint, read_card, verify_weights
from models.checkpoints import inference
from models.checkpoints.puzzles import pose, unanswered
from models.checkpoints.storage import load, load_task
from models.descriptors.base import Descriptor
from models.descriptors.files import descriptor_of
from models.network import Network, exact_fp32
from models.tasks.base import Task

RESIDENT = 4  # networks, and tasks, that stay in memory

log = logging.getLogger(__name__)


class Residents:
    """The loaded networks and tasks; beyond `limit` of each, the one not used for longest is dropped."""

    def __init__(self, device: str, *, limit: int = RESIDENT) -> None:
        self._device = device
        self._networks = Recent[NetworkRef, Network](limit)
        self._tasks = Recent[NetworkRef | tuple[str, int], Task](limit)

    def get(self, ref: NetworkRef) -> Network:
        """The network of that reference. Raises CheckpointChanged where the folder holds other weights."""
        return self._networks.get(ref, lambda: self._load(ref))

    def descriptor(self, ref: NetworkRef) -> Descriptor | None:
        """The descriptor of that reference; None where it is a network. Raises CheckpointChanged."""
        if ref in self._networks:
            return None
        try:
            card = read_card(Path(ref.folder))
            found = descriptor_of(card)
            if found is not None:
                verify_weights(Path(ref.folder), card)
        except (OSError, NotACheckpoint) as error:
            raise CheckpointChanged("The files of this checkpoint are gone or damaged.") from error
        return found

    def task(self, request: PoseRequest) -> Task:
        """The task that makes the puzzle: with the network's weights, or untrained where no answer is wanted.

        Raises CheckpointChanged.
        """
        network = request.network
        if network is None:
            return self._tasks.get((request.task, len(request.how.names)), lambda: self._untrained(request))
        return self._tasks.get(network, lambda: self._trained(network))

    def clear(self) -> None:
        """Drop all networks and tasks, and free their memory."""
        self._networks.clear()
        self._tasks.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _trained(self, ref: NetworkRef) -> Task:
        try:
            if read_card(Path(ref.folder)).weights_sha256 != ref.sha256:
                raise CheckpointChanged("The weights of this checkpoint are not the ones that were registered.")
            return load_task(Path(ref.folder), device=self._device)
        except (OSError, NotACheckpoint, SafetensorError) as error:
            raise CheckpointChanged("The files of this checkpoint are gone or damaged.") from error

    def _untrained(self, request: PoseRequest) -> Task:
        return unanswered(request.task, request.how.names).to(self._device)

    def _load(self, ref: NetworkRef) -> Network:
        try:
            network = load(Path(ref.folder), device=self._device, precision=ref.precision)
        except (OSError, NotACheckpoint, SafetensorError) as error:
            raise CheckpointChanged("The files of this checkpoint are gone or damaged.") from error
        if network.card.weights_sha256 != ref.sha256:
            raise CheckpointChanged("The weights of this checkpoint are not the ones that were registered.")
        return network


def answer(residents: Residents, request: Request) -> Answer:
    """The answer to a request. Raises BadQuestion, CheckpointChanged, and OutOfMemoryError of torch."""
    if isinstance(request, PoseRequest):
        answered = request.network is not None
        return pose(residents.task(request), request.jpegs, request.how, answered=answered)
    descriptor = residents.descriptor(request.network)
    if descriptor is not None:
        return _described(descriptor, request)
    network = residents.get(request.network)
    match request:
        case EmbedRequest():
            return inference.embed(network, request.jpeg, request.layer, request.box)
        case CountRequest():
            return inference.count(network, request.jpeg, request.kernel, request.box)
        case HeatmapRequest():
            return inference.heatmap(network, request.jpeg, request.layer, request.unit)
        case CurveRequest():
            return inference.magnitude_curve(network, request.jpeg, request.areas, request.kernel)


def _described(descriptor: Descriptor, request: Request) -> Answer:
    """A descriptor's vector, rounded to half precision like those of scans. Raises BadQuestion for other requests."""
    if not isinstance(request, EmbedRequest):
        raise inference.BadQuestion("no_network", f"{descriptor.title} is no network: it can only describe an image.")
    if request.layer != descriptor.name:
        raise inference.BadQuestion("unknown_layer", f"no layer {request.layer!r}; there are: {descriptor.name}")
    try:
        vector, seen = descriptor.describe(request.jpeg, request.box)
    except ValueError as error:
        raise inference.BadQuestion("bad_box", str(error)) from error
    return EmbedAnswer(vector.astype("float16").astype("float32"), seen, seen[2] - seen[0] < descriptor.side)


def attempt(residents: Residents, request: Request) -> Answer | Failure:
    """The answer, or a description of the failure."""
    try:
        return answer(residents, request)
    except inference.BadQuestion as error:
        return Failure("bad_query", error.code, str(error))
    except CheckpointChanged as error:
        return Failure("changed", error.code, str(error))
    except torch.OutOfMemoryError:
        pass  # memory is freed below, because here the traceback would keep the tensors alive
    except Exception as error:
        log.exception("a question failed")
        return Failure("internal", type(error).__name__, "the predictor failed; its log says why")
    residents.clear()
    return Failure("busy", "out_of_memory", "The device is out of memory; try again in a moment.")


def choose_device(wanted: str) -> str:
    """The name of the device; `auto` is the GPU where there is one, else the CPU."""
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


def prepare(threads: int) -> None:
    """Set the number of threads, and exact arithmetic in fp32, for the whole process."""
    torch.set_num_threads(threads)
    exact_fp32()
