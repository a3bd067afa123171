"""How much memory is free on the device that will hold some tensors."""

import os
from pathlib import Path
from typing import Final

import torch

FACTS: Final = Path("/proc/meminfo")  # of Linux


def free_memory(device: str | torch.device) -> int:
    """Free bytes on the device, or of this machine for the CPU."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if not FACTS.exists():
        return _half_of_all()
    facts = dict(line.split(":") for line in FACTS.read_text().splitlines())
    return int(facts["MemAvailable"].split()[0]) * 1024


def fits(size: int, device: str | torch.device) -> bool:
    """Whether so many bytes of pixels may stay on the device: half of its free memory is left for everything else."""
    return size < free_memory(device) // 2


def _half_of_all() -> int:
    """A guess where the system does not say what is free: half of what the machine has, or 0 if that is unknown too."""
    try:
        return max(0, os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError):
        return 0
