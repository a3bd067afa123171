"""How much memory is free on the device that will hold some tensors."""

from pathlib import Path

import torch


def free_memory(device: str | torch.device) -> int:
    """Free bytes on the device, or of this machine for the CPU."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(facts["MemAvailable"].split()[0]) * 1024


def fits(size: int, device: str | torch.device) -> bool:
    """Whether so many bytes of pixels may stay on the device: half of its free memory is left for everything else."""
    return size < free_memory(device) // 2
