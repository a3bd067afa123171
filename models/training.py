"""The training loop: it knows no task, prints nothing, and goes on from its own saved state.

The crops and views of a step depend on (seed, step) only, so an interrupted run on the CPU ends, after resuming with
the thread count and precision of its state, in the very weights of an uninterrupted one.
"""

import contextlib
import math
import os
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.atomic import sync_folder
from models.batches import Batches, generator
from models.tasks.base import Task

STATE = "training.pt"


class Diverged(ValueError):
    """The loss is no longer a number."""

    code = "diverged"


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How to optimise: Adam with a learning rate that falls by `lr_decay` every `lr_every` steps, or along a cosine.

    It rises to `lr` over the first `warmup` steps, or over the first quarter of a shorter run. `factors` multiply the
    learning rate of the parameters whose names begin so: {"encoder.conv1.": 3.0}.
    """

    steps: int
    lr: float
    lr_decay: float = 1.0
    lr_every: int = 10_000
    schedule: str = "step"
    warmup: int = 0
    factors: Mapping[str, float] = field(default_factory=dict)
    weight_decay: float = 0.0
    precision: str = "fp32"
    seed: int = 0
    report_seconds: float = 1.0
    save_seconds: float = 60.0

    def learning_rate(self, step: int) -> float:
        warmup = min(self.warmup, self.steps // 4)
        rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
        if self.schedule == "cosine":
            return rise * self.lr * (1 + math.cos(math.pi * step / self.steps)) / 2
        return rise * self.lr * self.lr_decay ** (step // self.lr_every)


@dataclass(frozen=True)
class Progress:
    """What the loop says after a stretch of steps: mean of each loss term since the last report, images per second."""

    step: int
    total: int
    metrics: dict[str, float]
    rate: float


@dataclass
class _Run:
    """Everything that a resumed run needs, and nothing else."""

    task: Task
    optimiser: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    curves: dict[str, list[list[float]]] = field(default_factory=dict)

    def save(self, folder: Path, precision: str) -> None:
        """Write the state atomically and durably: a temporary file, fsync, rename."""
        state = {
            "task": self.task.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "curves": self.curves,
            "rng": torch.get_rng_state(),
            "threads": torch.get_num_threads(),
            "precision": precision,
        }
        path = folder / STATE
        temporary = folder / f".{STATE}.tmp"
        with temporary.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(folder)

    def restore(self, state: dict[str, object]) -> None:
        self.task.load_state_dict(state["task"])  # type: ignore[arg-type]
        self.optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
        self.step, self.seconds = int(state["step"]), float(state["seconds"])  # type: ignore[call-overload, arg-type]
        self.curves = state["curves"]  # type: ignore[assignment]
        torch.set_rng_state(state["rng"])  # type: ignore[arg-type]


def saved_state(folder: Path) -> dict[str, object] | None:
    """The state an earlier attempt left, if any."""
    path = folder / STATE
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


def fit(task: Task, batches: Batches, config: FitConfig, folder: Path) -> Generator[Progress, None, None]:
    """Train `task` in place on the device of its parameters, reporting about once a second.

    Progress and curves survive in `folder`; closing the iterator saves the state. Raises Diverged.
    """
    groups, factors = _groups(task, config)
    optimiser = torch.optim.Adam(groups, lr=config.lr, weight_decay=config.weight_decay, fused=True)
    run = _Run(task, optimiser)
    state = saved_state(folder)
    precision = config.precision
    if state is not None:
        torch.set_num_threads(int(state["threads"]))  # type: ignore[call-overload]
        precision = str(state["precision"])
        run.restore(state)
    task.train()
    sums, since, saved = _Sums(), time.monotonic(), float("-inf")  # the first report saves: a full disk shows early
    try:
        while run.step < config.steps:
            for group, factor in zip(optimiser.param_groups, factors, strict=True):
                group["lr"] = factor * config.learning_rate(run.step)
            terms = train_step(task, optimiser, batches, run.step, config.seed, precision)
            run.step += 1
            sums.add(terms)
            now = time.monotonic()
            if now - since >= config.report_seconds or run.step == config.steps:
                yield _report(run, sums, config, batches.batch_size, now - since)
                sums, since = _Sums(), now
                # Only right after a report, which has looked at the loss: a diverged state must not replace a good one.
                if now - saved >= config.save_seconds or run.step == config.steps:
                    run.save(folder, precision)
                    saved = time.monotonic()
    except GeneratorExit:  # closed at a report, where weights and optimiser agree
        run.save(folder, precision)
        raise


def _groups(task: Task, config: FitConfig) -> tuple[list[dict[str, Any]], list[float]]:
    """The parameters by the factor on their learning rate; all together where nothing sets some apart."""
    parts: dict[float, list[Tensor]] = {}
    for name, parameter in task.named_parameters():
        factor = next((factor for start, factor in config.factors.items() if name.startswith(start)), 1.0)
        parts.setdefault(factor, []).append(parameter)
    return [{"params": part} for part in parts.values()], list(parts)


def train_step(
    task: Task, optimiser: torch.optim.Optimizer, batches: Batches, step: int, seed: int, precision: str
) -> dict[str, Tensor]:
    """One step of optimisation on the crops and views of `step`; returns the detached loss terms."""
    crops = batches.draw(step)
    views = task.views(crops, generator(seed, step, 3))
    with autocast(crops.device, precision):
        outputs = task(views.inputs)
    terms = task.loss(outputs.float(), views.target)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(torch.stack(list(terms.values())).sum())
    optimiser.step()
    return {name: term.detach() for name, term in terms.items()}


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """bf16 for the forward pass where asked for; weights and loss stay in fp32."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


class _Sums:
    """Running sums of the loss terms, kept on the device until they are reported."""

    def __init__(self) -> None:
        self.terms: dict[str, Tensor] = {}
        self.steps = 0

    def add(self, terms: dict[str, Tensor]) -> None:
        self.steps += 1
        for name, term in terms.items():
            self.terms[name] = self.terms.get(name, torch.zeros_like(term)) + term

    def means(self) -> dict[str, float]:
        return {name: float(term) / self.steps for name, term in self.terms.items()}


def _report(run: _Run, sums: _Sums, config: FitConfig, batch_size: int, seconds: float) -> Progress:
    metrics = sums.means()
    metrics = {"loss": sum(metrics.values()), **metrics, "lr": config.learning_rate(run.step - 1)}
    if metrics["loss"] != metrics["loss"] or metrics["loss"] in (float("inf"), float("-inf")):
        raise Diverged(f"the loss stopped being a number before step {run.step}; try a lower learning rate")
    run.seconds += seconds
    for name, value in metrics.items():
        run.curves.setdefault(name, []).append([run.step, value])
    return Progress(run.step, config.steps, metrics, sums.steps * batch_size / seconds)
