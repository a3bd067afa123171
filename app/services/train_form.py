"""The form that starts a training: what can be set, and the spec that a filled-in form stands for."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sqlalchemy import select

from app.failures import BadQuery
from app.store.engine import Store
from app.store.tables import GalleryRow
from models.recipes import RECIPES, CountingConfig

FormFields = Mapping[str, str]

TASK = "counting"
SHOWN = ("small", "sample", "paper")  # recipes of the form; the others are labs, which have a page of their own
FIRST = ("steps", "batch_size")  # settings that most people want to see; the others are one click away


@dataclass(frozen=True)
class Setting:
    """One setting of the task: what a recipe has it at, and what it may be."""

    name: str
    help: str
    values: Mapping[str, object]  # by recipe
    choices: tuple[str, ...]  # empty where it is a number or words
    low: float | None
    high: float | None
    whole: bool
    words: bool


@dataclass(frozen=True)
class TrainForm:
    """Galleries that can be trained on, recipes, and the task's settings."""

    galleries: tuple[str, ...]
    recipes: tuple[str, ...]
    first: tuple[Setting, ...]
    others: tuple[Setting, ...]


def train_form(store: Store) -> TrainForm:
    """What can be chosen now; galleries newest first."""
    with store.read() as session:
        query = select(GalleryRow.slug).where(GalleryRow.rows > 0).order_by(GalleryRow.id.desc()).limit(200)
        galleries = tuple(session.scalars(query))
    settings = [_setting(name) for name in _types()]
    return TrainForm(
        galleries=galleries,
        recipes=SHOWN,
        first=tuple(setting for setting in settings if setting.name in FIRST),
        others=tuple(setting for setting in settings if setting.name not in FIRST),
    )


def train_spec(form: FormFields) -> dict[str, Any]:
    """The spec of a filled-in form; a setting left empty is the recipe's own. Raises BadQuery."""
    types = _types()
    known = {"gallery", "recipe", "seed", "task", "then_scan", "scan_gallery", *(f"config.{name}" for name in types)}
    if unknown := sorted(set(form) - known):
        raise BadQuery("unknown_field", f"Unknown field `{unknown[0][:80]}`.")
    config = {name: _value(name, text, types[name]) for name in types if (text := form.get(f"config.{name}"))}
    return {
        "gallery": form.get("gallery", ""),
        "task": form.get("task") or TASK,
        "recipe": form.get("recipe") or "small",
        "config": config,
        "seed": _value("seed", form.get("seed") or "0", int),
    }


def scan_after(form: FormFields, gallery: str) -> str | None:
    """The gallery that a filled-in form wants scanned after the training on `gallery`; None where it wants no scan."""
    return (form.get("scan_gallery") or gallery) if form.get("then_scan") == "yes" else None


def _types() -> Mapping[str, Any]:
    return get_type_hints(CountingConfig)


def _setting(name: str) -> Setting:
    kind = _types()[name]
    about = next(item.metadata for item in fields(CountingConfig) if item.name == name)
    choices = ("yes", "no") if kind is bool else tuple(map(str, get_args(kind))) if get_origin(kind) is Literal else ()
    values = {recipe: _shown(getattr(config, name)) for recipe, config in RECIPES[TASK].items() if recipe in SHOWN}
    return Setting(name, about["help"], values, choices, about["low"], about["high"], kind is int, kind is str)


def _shown(value: object) -> object:
    return ("no", "yes")[value] if isinstance(value, bool) else value


def _value(name: str, text: str, kind: Any) -> Any:
    """What was typed, as the setting's own type."""
    if kind is bool:
        return text == "yes"
    if kind not in (int, float):
        return text
    try:
        return kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise BadQuery("invalid_value", f"`{name}`: expected {wanted}.", {"field": name}) from None
