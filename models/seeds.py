"""Random generators from seeds: the same seed and step give the same draws, whatever was drawn before."""

import torch


def generator(seed: int, *path: int) -> torch.Generator:
    """A CPU generator whose stream depends on the seed and a path of numbers (step, purpose)."""
    mixed = seed & 0xFFFFFFFF
    for part in path:
        mixed = (mixed * 0x9E3779B97F4A7C15 + part + 0x632BE59BD9B4E019) & 0xFFFFFFFFFFFFFFFF
    return torch.Generator().manual_seed(mixed)
