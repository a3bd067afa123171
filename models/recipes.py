"""Recipes: what each pretext task can be told, with the paper's values and named presets. Free of torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args, get_origin

KERNELS = ("area", "linear", "cubic", "lanczos")


class BadConfig(ValueError):
    """A setting of a task is unknown, of the wrong type or out of range; the message names it."""

    code = "bad_config"


def setting(default: Any, help: str, low: float | None = None, high: float | None = None) -> Any:
    """A dataclass field with the words and the range that forms and checks use."""
    return field(default=default, metadata={"help": help, "low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class CountingConfig:
    """*Learning to Count*: the defaults are the paper's, or stated choices where it is silent (docs/tasks.md)."""

    crop: int = setting(228, "side of the training crop, pixels; tiles and downscaled image have half of it", 32, 512)
    region: int = setting(256, "side of the central region the crops are drawn from, pixels", 32, 512)
    stride: int = setting(4, "stride of conv1", 1, 4)
    hidden: int = setting(4096, "width of fc6 and fc7", 8, 8192)
    units: int = setting(1000, "length K of the count vector", 2, 8192)
    margin: float = setting(10.0, "contrastive margin M, on the squared norm", 0.0, 1e6)
    gray_share: float = setting(0.67, "share of iterations that see gray images", 0.0, 1.0)
    flip: bool = setting(False, "mirror half of the crops")
    normalise: Literal["crop", "input"] = setting("crop", "what mean and standard deviation are computed over")
    kernels: str = setting(",".join(KERNELS), f"what D downscales with, drawn for each step: of {', '.join(KERNELS)}")
    hinge: Literal["vector", "unit"] = setting("vector", "what the margin is asked of: the whole vector, or every unit")
    conv1_std: float = setting(0.0, "standard deviation of conv1 at the start; 0: He initialisation", 0.0, 1.0)
    head_init: Literal["he", "uniform"] = setting("he", "weights of the head at the start; uniform: PyTorch's own")
    start_norm: float = setting(0.0, "mean squared norm of φ(Dx) at step 0, by scaling conv1; 0: as drawn", 0.0, 1e6)
    batch_size: int = setting(128, "images per step; each is seen five times", 2, 4096)
    steps: int = setting(200_000, "optimiser steps", 1, 10_000_000)
    lr: float = setting(1e-4, "learning rate of Adam at the start", 1e-8, 1.0)
    schedule: Literal["step", "cosine"] = setting("step", "how the rate falls; cosine: to zero at the last step")
    warmup: int = setting(0, "steps over which the rate rises to lr, at most a quarter", 0, 1_000_000)
    lr_decay: float = setting(0.9, "factor on the learning rate", 0.0, 1.0)
    lr_every: int = setting(10_000, "steps between two decays", 1, 10_000_000)
    conv1_lr: float = setting(1.0, "factor on the learning rate of conv1", 0.0, 1000.0)
    weight_decay: float = setting(0.0, "L2 penalty", 0.0, 1.0)
    held_out: int = setting(512, "images kept for measuring, never trained on", 2, 100_000)
    precision: Literal["auto", "fp32", "bf16"] = setting("auto", "bf16 where it is native, else fp32")

    @property
    def size(self) -> int:
        """Side of the network's input: half of the crop, for tiles and downscaled image alike."""
        return self.crop // 2

    @property
    def kernel_names(self) -> tuple[str, ...]:
        """The kernels of `kernels`, in the order of KERNELS."""
        asked = {name.strip() for name in self.kernels.split(",")}
        return tuple(name for name in KERNELS if name in asked)

    @property
    def collapsed_cost(self) -> float:
        """The loss of a network that counts nothing: the whole margin, once or for every unit."""
        return self.margin * (self.units if self.hinge == "unit" else 1)


# The break-it labs: one run that is sound at a small scale, and four that differ from it in a single setting. Stride 4
# and He's start make them quick, and close enough to the cliff of the learning rate to see it.
HEALTHY = CountingConfig(
    crop=144, region=160, stride=4, hidden=1024, units=256, flip=True, batch_size=64, steps=300, held_out=128
)

RECIPES: dict[str, dict[str, CountingConfig]] = {
    "counting": {
        "paper": CountingConfig(),
        # For photos with a shorter side of 160 px and two CPU cores: native crops, never enlarged before D and T_j;
        # conv1 at stride 2 keeps the paper's 3x3x256 from 72 px inputs.
        "small": CountingConfig(
            crop=144, region=160, stride=2, hidden=1024, units=256, flip=True, conv1_std=0.01, batch_size=64, steps=2000
        ),
        # How the bundled counting-photos was trained, in about an hour on two CPU cores.
        "sample": CountingConfig(
            crop=144,
            region=160,
            hidden=1024,
            units=256,
            flip=True,
            conv1_std=0.01,
            start_norm=2.0,
            conv1_lr=5.0,
            batch_size=64,
            steps=2600,
            warmup=300,
            schedule="cosine",
        ),
        "healthy": HEALTHY,
        "collapse": replace(HEALTHY, lr=3e-4),
        "one-kernel": replace(HEALTHY, kernels="area"),
        "no-margin": replace(HEALTHY, margin=0.0),
        "per-unit-hinge": replace(HEALTHY, hinge="unit"),
    }
}


def build_config(task: str, recipe: str, overrides: Mapping[str, Any]) -> CountingConfig:
    """The recipe's config with `overrides` applied. Raises BadConfig naming what is wrong."""
    if task not in RECIPES:
        raise BadConfig(f"unknown task {task!r}; there are: {', '.join(RECIPES)}")
    if recipe not in RECIPES[task]:
        raise BadConfig(f"unknown recipe {recipe!r} of {task}; there are: {', '.join(RECIPES[task])}")
    base = RECIPES[task][recipe]
    known = {item.name: item for item in fields(base)}
    for name, value in overrides.items():
        if name not in known:
            raise BadConfig(f"{task} has no setting {name!r}; there are: {', '.join(known)}")
        _check(name, value, known[name].type, known[name].metadata)
    config = replace(base, **overrides)
    config = replace(config, kernels=_kernels(config.kernels))
    if config.crop % 2 or config.crop > config.region:
        raise BadConfig(f"crop must be even and at most region, got crop {config.crop} and region {config.region}")
    if smallest_input(config.stride) > config.size:
        raise BadConfig(f"a crop of {config.crop} px is too small for conv1 at stride {config.stride}")
    return config


def config_dict(config: CountingConfig) -> dict[str, Any]:
    return asdict(config)


def smallest_input(stride: int) -> int:
    """The smallest side for which every layer of the ceil-mode AlexNet keeps at least one cell."""
    return 11 + 7 * stride


def _kernels(text: str) -> str:
    """The kernels as they are recorded: known ones, each once, in the order of KERNELS."""
    asked = [name.strip() for name in text.split(",")]
    if unknown := [name for name in asked if name not in KERNELS]:
        raise BadConfig(f"kernels must be some of {', '.join(KERNELS)}, got {unknown[0][:40]!r}")
    return ",".join(name for name in KERNELS if name in asked)


def _check(name: str, value: Any, kind: Any, metadata: Mapping[str, Any]) -> None:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise BadConfig(f"{name} must be one of {', '.join(map(str, get_args(kind)))}, got {value!r}")
        return
    fits = isinstance(value, {int: int, float: int | float, bool: bool, str: str}[kind])
    if not fits or (kind is not bool and isinstance(value, bool)):
        raise BadConfig(f"{name} must be {kind.__name__}, got {value!r}")
    low, high = metadata["low"], metadata["high"]
    if low is not None and not low <= value <= high:
        raise BadConfig(f"{name} must lie in {low:g} to {high:g}, got {value!r}")
