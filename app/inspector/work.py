"""What the readers' children do with a question; the only part of the inspector that loads torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch

from models.foreign.inspecting import inspect

torch.set_num_threads(1)


def look(question: dict[str, Any]) -> dict[str, Any]:
    """The inspection of `path`, at most `limit` bytes."""
    return {"inspection": inspect(Path(question["path"]), limit=question["limit"]).as_json()}


WORK: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {"inspect": look}
