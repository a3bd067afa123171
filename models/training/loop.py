"""The training loop: it knows no particular task, prints nothing, and goes on from its own saved state.

The crops and views of a step depend on (seed, step) only. So a run on the CPU that was interrupted and resumed, with
the thread count and precision of its state, ends in exactly the weights of an uninterrupted one. With fewer cores than
it had threads it goes on with as many threads as there are cores, and ends in slightly different weights.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from models.atomic import sync_folder
from models.cores import usable_cores
from models.recipes.base import ImageConfig
from models.seeds import generator
from models.tasks.base import Epoch, Task
from models.training.batches import Batches

STATE = "training.pt"


class Diverged(ValueError):
    """The loss is no longer a number."""

    code = "diverged"


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How to optimise, with a learning rate that falls by `lr_decay` every `lr_every` steps, or along a cosine.

    `momentum` is beta1 where the optimiser is Adam. The rate rises to `lr` over the first `warmup` steps, or over the
    first quarter of a shorter run. `factors` multiply the learning rate of parameters by the beginning of their names:
    {"encoder.conv1.": 3.0}.
    """

    steps: int
    lr: float
    optimiser: str = "adam"
    momentum: float = 0.9
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

    @classmethod
    def of(cls, config: ImageConfig, *, seed: int, precision: str) -> Self:
        """The settings of a task's own config."""
        return cls(
            steps=config.steps,
            lr=config.lr,
            optimiser=config.optimiser,
            momentum=config.momentum,
            lr_decay=config.lr_decay,
            lr_every=config.lr_every,
            schedule=config.schedule,
            warmup=config.warmup,
            factors=config.lr_factors,
            weight_decay=config.weight_decay,
            precision=precision,
            seed=seed,
        )

    def learning_rate(self, step: int) -> float:
        warmup = min(self.warmup, self.steps // 4)
        rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
        if self.schedule == "cosine":
            return rise * self.lr * (1 + math.cos(math.pi * step / self.steps)) / 2
        return rise * self.lr * self.lr_decay ** (step // self.lr_every)

    def make(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """The optimiser of these groups of parameters."""
        if self.optimiser == "adam":
            betas = (self.momentum, 0.999)
            return torch.optim.Adam(groups, lr=self.lr, betas=betas, weight_decay=self.weight_decay, fused=True)
        nesterov = self.optimiser == "nesterov"
        return torch.optim.SGD(
            groups,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=nesterov,
            weight_decay=self.weight_decay,
            fused=True,
        )


@dataclass(frozen=True)
class TrainingProgress:
    """A report after some steps: mean of each loss term since the last report, images per second."""

    step: int
    total: int
    metrics: dict[str, float]
    rate: float


@dataclass
class _Run:
    """Everything that a resumed run needs, and nothing else."""

    task: Task
    optimiser: torch.optim.Optimizer
    batches: Batches
    step: int = 0
    seconds: float = 0.0
    curves: dict[str, list[list[float]]] = field(default_factory=dict)
    epoch: int = -1  # the last one whose start the task was called for

    def begin_epoch(self, seed: int) -> None:
        """Before the first step of an epoch: let the task give the images new targets."""
        number = self.step // self.batches.steps_per_epoch
        if number == self.epoch:
            return
        self.epoch = number
        last = self.batches.targets
        rng = generator(seed, number, 4)
        made = self.task.on_epoch_start(Epoch(number, self.batches.regions, self.optimiser, rng, last))
        if made is not None:
            self.batches.relabel(made.targets, made.order)
            for name, value in (made.metrics or {}).items():
                self.curves.setdefault(name, []).append([self.step, value])

    def save(self, folder: Path, precision: str) -> None:
        """Write the state atomically and durably: a temporary file, fsync, rename."""
        state = {
            "task": self.task.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "own_optimisers": {name: own.state_dict() for name, own in self.task.optimisers().items()},
            "step": self.step,
            "seconds": self.seconds,
            "curves": self.curves,
            "epoch": self.epoch,
            "targets": self.batches.targets,
            "order": self.batches.order,
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
        for name, own in self.task.optimisers().items():
            own.load_state_dict(state["own_optimisers"][name])  # type: ignore[index]
        self.step, self.seconds = int(state["step"]), float(state["seconds"])  # type: ignore[call-overload, arg-type]
        self.curves = state["curves"]  # type: ignore[assignment]
        self.epoch = int(state.get("epoch", -1))  # type: ignore[call-overload]
        if state.get("targets") is not None:
            self.batches.relabel(state["targets"], state["order"])  # type: ignore[arg-type]
        torch.set_rng_state(state["rng"])  # type: ignore[arg-type]


def saved_state(folder: Path) -> dict[str, object] | None:
    """The state an earlier attempt left, if any."""
    path = folder / STATE
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


def fit(
    task: Task, batches: Batches, config: FitConfig, folder: Path, after: Callable[[int], None] | None = None
) -> Generator[TrainingProgress, None, None]:
    """Train `task` in place on the device of its parameters, reporting about once a second.

    Progress and curves survive in `folder`; closing the iterator saves the state. `after` is called with 0 and then
    with the number of each step that was made. Raises Diverged.
    """
    groups, factors = _groups(task, config)
    optimiser = config.make(groups)
    run = _Run(task, optimiser, batches)
    state = saved_state(folder)
    precision = config.precision
    if state is not None:
        # Threads that share a core wait for each other inside a layer: two on one took thirty times as long.
        torch.set_num_threads(min(int(state["threads"]), usable_cores()))  # type: ignore[call-overload]
        precision = str(state["precision"])
        run.restore(state)
    task.train()
    if after is not None:
        after(run.step)
    sums, since, saved = _Sums(), time.monotonic(), float("-inf")  # the first report saves: a full disk shows early
    try:
        while run.step < config.steps:
            for group, factor in zip(optimiser.param_groups, factors, strict=True):
                group["lr"] = factor * config.learning_rate(run.step)
            run.begin_epoch(config.seed)
            terms = train_step(task, optimiser, batches, run.step, config.seed, precision)
            run.step += 1
            if after is not None:
                after(run.step)
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
    """The parameters by the factor on their learning rate; all together where nothing sets some apart.

    Those that the task optimises itself are left out.
    """
    groups = (group for own in task.optimisers().values() for group in own.param_groups)
    apart = {id(parameter) for group in groups for parameter in group["params"]}
    parts: dict[float, list[Tensor]] = {}
    for name, parameter in task.named_parameters():
        if id(parameter) in apart:
            continue
        factor = next((factor for start, factor in config.factors.items() if name.startswith(start)), 1.0)
        parts.setdefault(factor, []).append(parameter)
    return [{"params": part} for part in parts.values()], list(parts)


def train_step(
    task: Task, optimiser: torch.optim.Optimizer, batches: Batches, step: int, seed: int, precision: str
) -> dict[str, Tensor]:
    """One step of optimisation on the crops and views of `step`; returns the detached loss terms."""
    batch = batches.batch(step)
    views = task.views(batch.images, generator(seed, step, 3), batch.targets)
    with autocast(batch.images.device, precision):
        outputs = task(views.inputs)
    optimiser.zero_grad(set_to_none=True)
    terms = task.training_step(views, outputs.float())
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


def _report(run: _Run, sums: _Sums, config: FitConfig, batch_size: int, seconds: float) -> TrainingProgress:
    metrics = sums.means()
    metrics = {"loss": sum(metrics.values()), **metrics, "lr": config.learning_rate(run.step - 1)}
    if metrics["loss"] != metrics["loss"] or metrics["loss"] in (float("inf"), float("-inf")):
        raise Diverged(f"the loss stopped being a number before step {run.step}; try a lower learning rate")
    run.seconds += seconds
    for name, value in metrics.items():
        run.curves.setdefault(name, []).append([run.step, value])
    return TrainingProgress(run.step, config.steps, metrics, sums.steps * batch_size / seconds)
