"""Settings that all tasks share, and how a setting is declared and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

Labels = Literal["none", "gallery", "counts", "clusters", "own"]  # own: made by the task itself before every epoch


class BadConfig(ValueError):
    """A setting of a task is unknown, of the wrong type or out of range; the message names it."""

    code = "bad_config"


def setting(default: Any, help: str, low: float | None = None, high: float | None = None) -> Any:
    """A dataclass field with the words and the range that forms and checks use."""
    return field(default=default, metadata={"help": help, "low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """The settings of every task on images. A task's own file adds to them and replaces defaults by its paper's."""

    labels: ClassVar[Labels] = "none"  # what a target of the task is read from
    crop: int = setting(224, "side of the training crop, pixels", 32, 512)
    region: int = setting(256, "side of the central region the crops are drawn from, pixels", 32, 512)
    batch_size: int = setting(128, "images per step", 2, 4096)
    steps: int = setting(100_000, "optimiser steps", 1, 10_000_000)
    optimiser: Literal["adam", "sgd", "nesterov"] = setting("adam", "what follows the gradient")
    lr: float = setting(1e-4, "learning rate at the start", 1e-8, 10.0)
    momentum: float = setting(0.9, "momentum; Adam's β₁", 0.0, 0.9999)
    schedule: Literal["step", "cosine"] = setting("step", "how the rate falls; cosine: to zero at the last step")
    warmup: int = setting(0, "steps over which the rate rises to lr, at most a quarter", 0, 1_000_000)
    lr_decay: float = setting(0.1, "factor on the learning rate", 0.0, 1.0)
    lr_every: int = setting(100_000, "steps between two decays", 1, 10_000_000)
    weight_decay: float = setting(0.0, "L2 penalty", 0.0, 1.0)
    held_out: int = setting(512, "images kept for measuring, never trained on", 2, 100_000)
    precision: Literal["auto", "fp32", "bf16"] = setting("auto", "bf16 where it is native, else fp32")

    @property
    def targets_from(self) -> Labels:
        """Where targets come from with these settings: the labels of the gallery, its named counts, or nowhere."""
        return self.labels

    @property
    def size(self) -> int:
        """Side of the network's input."""
        return self.crop

    @property
    def drawn(self) -> int:
        """Side of the windows that a training step is given: the crop, or more where views cut their own."""
        return self.crop

    @property
    def enlarges(self) -> bool:
        """Whether photos smaller than the region are brought up to it; else those smaller than a crop are left out."""
        return False

    @property
    def last_convolution(self) -> str:
        """The layer that a teacher's images are clustered by where none is named."""
        return "conv5"

    @property
    def lr_factors(self) -> Mapping[str, float]:
        """Factors on the learning rate of the parameters whose names begin so."""
        return {}

    @property
    def geometry(self) -> str:
        """What the network is shown, in words, for the card."""
        how = "enlarged where smaller" if self.enlarges else "native"
        return f"{how} crops of {self.crop} px from regions of {self.region} px, {self.size} px inputs"

    def for_classes(self, count: int) -> "ImageConfig":  # noqa: ARG002 - for tasks that learn labels
        """The config for targets of so many classes; what the card records. Raises BadConfig."""
        return self

    def checked(self) -> "ImageConfig":
        """The config as it is recorded. Raises BadConfig where settings contradict each other."""
        if self.crop > self.region:
            raise BadConfig(f"crop must be at most region, got crop {self.crop} and region {self.region}")
        return self


@dataclass(frozen=True, kw_only=True)
class AlikeConfig(ImageConfig):
    """For tasks whose views are all alike.

    Enlarging blurs every view in the same way and is therefore no shortcut to the answer.
    """

    enlarge: bool = setting(True, "enlarge photos smaller than the region; else those smaller than a crop are left out")

    @property
    def enlarges(self) -> bool:
        return self.enlarge


def types(config: type[ImageConfig]) -> Mapping[str, Any]:
    """The type of each setting, in order."""
    hints = get_type_hints(config)
    return {item.name: hints[item.name] for item in fields(config)}


def check(name: str, value: Any, kind: Any, metadata: Mapping[str, Any]) -> None:
    """Raises BadConfig unless `value` is of the setting's type and in its range."""
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


def smallest_input(stride: int) -> int:
    """The smallest side for which every layer of the ceil-mode AlexNet keeps at least one cell."""
    return 11 + 7 * stride
