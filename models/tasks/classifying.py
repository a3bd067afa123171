"""Tasks whose answer is one of a few classes: loss, measures, and how an answer is shown."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from models.puzzles import PuzzleAnswer


def cross_entropy(outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
    """Mean over all puzzles: (..., N) logits against (...) classes."""
    assert target is not None
    return {"cross_entropy": F.cross_entropy(outputs.flatten(0, -2), target.flatten())}


def measures(outputs: Tensor, target: Tensor | None) -> dict[str, Tensor]:
    """Loss and accuracy of each puzzle: (..., N) logits against (...) classes -> (...) each."""
    assert target is not None
    flat = F.cross_entropy(outputs.flatten(0, -2), target.flatten(), reduction="none")
    return {"loss": flat.view(target.shape), "accuracy": (outputs.argmax(dim=-1) == target).float()}


def guessing(classes: int) -> dict[str, float]:
    """The loss and the accuracy of equal probabilities for all classes."""
    return {"loss": math.log(classes), "accuracy": 1 / classes}


def answer(logits: Tensor, choices: tuple[str, ...]) -> PuzzleAnswer:
    """The answer that (N,) logits give to a puzzle with these choices."""
    probabilities = torch.softmax(logits.float(), dim=0).cpu()
    best = int(probabilities.argmax())
    words = f"{choices[best]}, with a probability of {float(probabilities[best]):.2f}"
    return PuzzleAnswer(words, tuple(float(value) for value in probabilities))
