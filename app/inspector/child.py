"""The reader: a child that limits its own memory and time, answers one question about a foreign file, and ends."""

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
}  # memory allowed by kind of question, in sizes of the file: for mapping and copying it, and for writing

log = logging.getLogger(__name__)

MEMORY = "Reading this file needs more memory than a file of its size should; it is damaged or made to fill the memory."


def answer(question: dict[str, Any], writing: int) -> None:
    """Write {"answer"} or {"failure"} as JSON to the descriptor `writing`, and end the process."""
    die_with_parent()
    size = _size(question)
    confine(size, times=TIMES[question["kind"]])
    try:
        said = json.dumps({"answer": work.WORK[question["kind"]](question)}, allow_nan=False)
    except UnreadableWeights as error:
        said = _failure(error.code, str(error), error.detail)
    except MemoryError:
        said = _failure("memory_limit", MEMORY)
    except Exception as error:  # a hostile file may make libraries raise anything
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
