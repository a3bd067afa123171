"""The recipes: the settings of each pretext task, with the paper's values and named presets. Free of torch."""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from models.recipes import (
    cluster_classification,
    colorization,
    context_prediction,
    counting,
    deepcluster,
    inpainting,
    jigsaw,
    jigsaw_pp,
    rotation,
    split_brain,
    supervised,
)
from models.recipes.base import BadConfig, ImageConfig, check, types

RECIPES: dict[str, Mapping[str, ImageConfig]] = {
    "counting": counting.RECIPES,
    "jigsaw": jigsaw.RECIPES,
    "jigsaw_pp": jigsaw_pp.RECIPES,
    "rotation": rotation.RECIPES,
    "supervised": supervised.RECIPES,
    "deepcluster": deepcluster.RECIPES,
    "cluster_classification": cluster_classification.RECIPES,
    "colorization": colorization.RECIPES,
    "split_brain": split_brain.RECIPES,
    "context_prediction": context_prediction.RECIPES,
    "inpainting": inpainting.RECIPES,
}


def build_config(task: str, recipe: str, overrides: Mapping[str, Any]) -> ImageConfig:
    """The recipe's config with `overrides` applied. Raises BadConfig naming what is wrong."""
    if task not in RECIPES:
        raise BadConfig(f"unknown task {task!r}; there are: {', '.join(RECIPES)}")
    if recipe not in RECIPES[task]:
        raise BadConfig(f"unknown recipe {recipe!r} of {task}; there are: {', '.join(RECIPES[task])}")
    base = RECIPES[task][recipe]
    known = {item.name: item for item in fields(base)}
    kinds = types(type(base))
    for name, value in overrides.items():
        if name not in known:
            raise BadConfig(f"{task} has no setting {name!r}; there are: {', '.join(known)}")
        check(name, value, kinds[name], known[name].metadata)
    return replace(base, **overrides).checked()


def read_config(task: str, recorded: Mapping[str, Any]) -> ImageConfig:
    """The config that a card records; settings that are not there have their defaults, unknown ones are left out."""
    kind = type(RECIPES[task]["paper"])
    known = {item.name for item in fields(kind)}
    return kind(**{name: value for name, value in recorded.items() if name in known})


def differences(task: str, sound: str, other: str) -> list[tuple[str, object, object]]:
    """The settings in which one recipe of a task differs from another: name, the first one's value, the second's."""
    first, second = RECIPES[task][sound], RECIPES[task][other]
    pairs = ((item.name, getattr(first, item.name), getattr(second, item.name)) for item in fields(first))
    return [(name, one, two) for name, one, two in pairs if one != two]


def config_dict(config: ImageConfig) -> dict[str, Any]:
    return asdict(config)
