"""Which devices this machine lends to jobs, asked of the driver's own tool and never of torch."""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

QUERY = ("nvidia-smi", "--query-gpu=index,memory.used", "--format=csv,noheader,nounits")
TIMEOUT = 15.0  # seconds; the driver can take long to wake, and a faulty one never answers


@dataclass(frozen=True)
class Device:
    """What torch calls it inside the job, and what CUDA_VISIBLE_DEVICES shows it; None leaves that as it is."""

    name: str
    visible: str | None


CPU = Device("cpu", "")


def _torch_has_cuda() -> bool:
    """Whether the installed torch was built for CUDA, read from its files: importing it would take seconds."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    try:
        text = (Path(spec.origin).parent / "version.py").read_text("utf-8")
    except OSError:
        return False
    return re.search(r"^cuda\b[^=]*=\s*['\"]", text, re.MULTILINE) is not None


def _parse(answer: str) -> list[str]:
    """GPU numbers, the emptiest first."""
    found = [[part.strip() for part in line.split(",")] for line in answer.splitlines() if line.count(",") == 1]
    used = [(int(memory) if memory.isdecimal() else 0, int(index)) for index, memory in found if index.isdecimal()]
    return [str(index) for _, index in sorted(used)]


def inventory() -> list[str]:
    """The GPUs of this machine that jobs may use, the emptiest first."""
    if not _torch_has_cuda() or shutil.which(QUERY[0]) is None:
        return []
    try:
        answer = subprocess.run(QUERY, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = _parse(answer.stdout)
    return names if allowed is None else [name for name in names if name in allowed.split(",")]


def devices(setting: str) -> tuple[Device, ...]:
    """The devices of the device lane for a setting `auto`, `cpu`, `cuda` or `cuda:N`; never empty."""
    if setting.startswith("cuda:"):
        return (Device("cuda", setting.removeprefix("cuda:")),)
    if setting not in ("auto", "cuda"):
        return (CPU,)
    found = tuple(Device("cuda", index) for index in inventory())
    return found or ((Device("cuda", None),) if setting == "cuda" else (CPU,))
