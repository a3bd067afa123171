"""One question in a child that is thrown away: bounds first, then the work, then the answer as JSON."""

import json
import logging
import os
from pathlib import Path
from typing import Any, Final

from app.inspector import work
from app.inspector.limits import confine, die_with_parent
from models.foreign.weights import UnreadableWeights

TIMES: Final = {
    "inspect": 2,
    "compare": 0,
    "convert": 5,
    "reprepare": 5,
    "library": 0,
}  # times the file: mapped, copied, and for writing twice more

log = logging.getLogger(__name__)

MEMORY = "Reading this file needs more memory than a file of its size should; it is damaged or made to fill the memory."


def answer(question: dict[str, Any], writing: int) -> None:
    """Write {"answer"} or {"failure"} to the descriptor and leave the process."""
    die_with_parent()
    size = _size(question)
    confine(size, times=TIMES[question["kind"]])
    try:
        said = json.dumps({"answer": work.WORK[question["kind"]](question)}, allow_nan=False)
    except UnreadableWeights as error:
        said = _failure(error.code, str(error), error.detail)
    except MemoryError:
        said = _failure("memory_limit", MEMORY)
    except Exception as error:  # the one boundary: what a hostile file makes a library raise is not foreseen
        log.exception("a file could not be read")
        message = "This file is damaged, or none that Tessera can read."
        said = _failure("not_a_checkpoint", message, {"type": type(error).__name__})
    _write(writing, said.encode())
    os._exit(0)


def _size(question: dict[str, Any]) -> int:
    try:
        return Path(question["path"]).stat().st_size
    except OSError:
        return 0


def _failure(code: str, message: str, detail: object = None) -> str:
    return json.dumps({"failure": {"code": code, "message": message, "detail": detail}})


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
