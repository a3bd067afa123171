"""Finds the devices that jobs may use; it asks the driver's own program, because importing torch takes seconds."""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

QUERY = ("nvidia-smi", "--query-gpu=index,memory.used", "--format=csv,noheader,nounits")
TIMEOUT = 15.0  # seconds; the driver can take long to start, and a faulty one never answers


@dataclass(frozen=True)
class Device:
    """A device: its name in torch, and the value of CUDA_VISIBLE_DEVICES for the job; None leaves that unchanged."""

    name: str
    visible: str | None


CPU = Device("cpu", "")


def _torch_has_cuda() -> bool:
    """Whether the installed torch was built for CUDA, read from its files, because importing it would take seconds."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    try:
        text = (Path(spec.origin).parent / "version.py").read_text("utf-8")
    except OSError:
        return False
    return re.search(r"^cuda\b[^=]*=\s*['\"]", text, re.MULTILINE) is not None


def _parse(answer: str) -> list[str]:
    """The GPU numbers in the program's answer, those with least memory in use first."""
    found = [[part.strip() for part in line.split(",")] for line in answer.splitlines() if line.count(",") == 1]
    used = [(int(memory) if memory.isdecimal() else 0, int(index)) for index, memory in found if index.isdecimal()]
    return [str(index) for _, index in sorted(used)]


def inventory() -> list[str]:
    """The numbers of the GPUs that jobs may use, those with least memory in use first."""
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
    """The devices of the device lane, at least one, for the setting `auto`, `cpu`, `cuda` or `cuda:N`."""
    if setting.startswith("cuda:"):
        return (Device("cuda", setting.removeprefix("cuda:")),)
    if setting not in ("auto", "cuda"):
        return (CPU,)
    found = tuple(Device("cuda", index) for index in inventory())
    return found or ((Device("cuda", None),) if setting == "cuda" else (CPU,))
