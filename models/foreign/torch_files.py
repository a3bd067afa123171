"""Files that torch.save wrote, through PyTorch's restricted reader only, with a short list of inert stand-ins."""

import pickle
import warnings
import zipfile
from typing import Any, Final

import torch

from models.foreign.opening import OpenFile
from models.foreign.pickles import check_globals, unsafe
from models.foreign.stand_ins import STAND_INS
from models.foreign.weights import UnreadableWeights

SLACK: Final = 1 << 20
DAMAGED: Final = "The file is damaged, was cut off, or was not written by torch.save."


def read(file: OpenFile, *, zipped: bool) -> Any:
    """The content with tensors that are mapped from the file (legacy files are read). Raises UnreadableWeights."""
    if zipped:
        _check_archive(file)
    check_globals(file, zipped=zipped)
    allowed: list[Any] = [(stand_in, name) for name, stand_in in STAND_INS.items()]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(allowed):
            warnings.simplefilter("ignore")
            return torch.load(file.path, map_location="cpu", weights_only=True, mmap=zipped)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file raises nearly anything, and the words are PyTorch's, not for users
        raise _refusal(error) from None


def _check_archive(file: OpenFile) -> None:
    """torch.save compresses nothing: an archive that unpacks to more than it holds is not its work."""
    try:
        with zipfile.ZipFile(file.path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise UnreadableWeights("not_a_checkpoint", DAMAGED) from None
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise UnreadableWeights(
            "not_a_checkpoint", "The archive is compressed, which torch.save never does. Save the weights again."
        )
    if sum(entry.file_size for entry in entries) > file.size + SLACK:
        raise UnreadableWeights("not_a_checkpoint", "The archive claims to hold more than it does.")


def _refusal(error: Exception) -> UnreadableWeights:
    words = str(error)
    if isinstance(error, pickle.UnpicklingError) and ("GLOBAL" in words or "unrecognized function" in words):
        return unsafe([])
    if "Unsupported operand" in words:
        return UnreadableWeights(
            "not_a_checkpoint",
            "The file was saved with a pickle protocol that is not read safely. Save it again with "
            "torch.save(state_dict, path) and nothing else.",
        )
    if "allocate" in words:
        raise MemoryError
    return UnreadableWeights("not_a_checkpoint", DAMAGED)
