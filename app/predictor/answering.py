"""What the predictor does with a question: keep the networks that were asked last, and compute."""

import logging
from collections import OrderedDict
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
    Request,
)
from models import inference
from models.card import CheckpointChanged, NotACheckpoint
from models.checkpoints import load
from models.network import Network

RESIDENT = 4

log = logging.getLogger(__name__)


class Residents:
    """The networks used last, loaded and verified; the least recently used one leaves."""

    def __init__(self, device: str, *, limit: int = RESIDENT) -> None:
        self._device = device
        self._limit = limit
        self._networks: OrderedDict[NetworkRef, Network] = OrderedDict()

    def get(self, ref: NetworkRef) -> Network:
        """The network of that reference. Raises CheckpointChanged where the folder holds other weights."""
        if ref not in self._networks:
            self._networks[ref] = self._load(ref)
            while len(self._networks) > self._limit:
                self._networks.popitem(last=False)
        self._networks.move_to_end(ref)
        return self._networks[ref]

    def clear(self) -> None:
        """Give the memory back."""
        self._networks.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _load(self, ref: NetworkRef) -> Network:
        try:
            network = load(Path(ref.folder), device=self._device, precision=ref.precision)
        except (OSError, NotACheckpoint, SafetensorError) as error:
            raise CheckpointChanged("The files of this checkpoint are gone or damaged.") from error
        if network.card.weights_sha256 != ref.sha256:
            raise CheckpointChanged("The weights of this checkpoint are not the ones that were registered.")
        return network


def answer(residents: Residents, request: Request) -> Answer:
    """Compute what was asked."""
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


def attempt(residents: Residents, request: Request) -> Answer | Failure:
    """The answer, or the failure in words."""
    try:
        return answer(residents, request)
    except inference.BadQuestion as error:
        return Failure("bad_query", error.code, str(error))
    except CheckpointChanged as error:
        return Failure("changed", error.code, str(error))
    except torch.OutOfMemoryError:
        pass  # handled below: inside this block the traceback would keep the tensors alive
    except Exception as error:
        log.exception("a question failed")
        return Failure("internal", type(error).__name__, "the predictor failed; its log says why")
    residents.clear()
    return Failure("busy", "out_of_memory", "The device is out of memory; try again in a moment.")


def choose_device(wanted: str) -> str:
    """`auto` is the first GPU where there is one."""
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


def prepare(threads: int) -> None:
    """Settings of the whole process."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # "fp32" shall mean it: residuals are compared with 1e-4
    torch.backends.cuda.matmul.allow_tf32 = False
