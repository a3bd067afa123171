"""The form that starts a training: the settings that it offers, and the spec made from a filled-in form."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin

from sqlalchemy import select

from app.failures import BadQuery, NotFound
from app.jobs.records import JobRecord
from app.services.jobs.submissions.train import LEAST_IMAGES
from app.services.services import Services
from app.store.engine import Store
from app.store.tables import GalleryRow, ScanRow
from models.counting.labs import LABS, SOUND
from models.recipes import RECIPES
from models.recipes.base import ImageConfig, types

FormFields = Mapping[str, str]

TASK = "counting"
FIRST_RECIPE = "small"
LABORATORY = (SOUND, *(lab.recipe for lab in LABS))  # these recipes have a page of their own
FIRST = ("steps", "batch_size")  # settings that the form shows at once; the others are folded away


@dataclass(frozen=True)
class Setting:
    """One setting of a task: its value in each recipe, and which values are allowed."""

    name: str
    help: str
    values: Mapping[str, object]  # by recipe
    choices: tuple[str, ...]  # empty where it is a number or free text
    low: float | None
    high: float | None
    whole: bool  # a whole number
    words: bool  # free text


@dataclass(frozen=True)
class TrainForm:
    """Galleries that can be trained on, all tasks, and the recipes and settings of the chosen one.

    `labelled` says that the task learns the labels of the gallery. `first` are the settings that the form shows at
    once, `others` those that it folds away.
    """

    task: str
    tasks: tuple[str, ...]
    labelled: bool
    galleries: tuple[str, ...]
    recipes: tuple[str, ...]
    first: tuple[Setting, ...]
    others: tuple[Setting, ...]


def train_form(store: Store, task: str = TASK) -> TrainForm:
    """The form for a task; galleries newest first, those too small to train on last. Raises NotFound."""
    if task not in RECIPES:
        raise NotFound("unknown_task", f"There is no task {task[:40]!r}; there are {', '.join(RECIPES)}.")
    with store.read() as session:
        order = ((GalleryRow.rows >= LEAST_IMAGES).desc(), GalleryRow.id.desc())
        query = select(GalleryRow.slug).where(GalleryRow.rows > 0).order_by(*order)
        galleries = tuple(session.scalars(query))
    settings = [_setting(task, name) for name in _types(task)]
    return TrainForm(
        task=task,
        tasks=tuple(RECIPES),
        labelled=_config(task).labels == "gallery",
        galleries=galleries,
        recipes=_recipes(task),
        first=tuple(setting for setting in settings if setting.name in FIRST),
        others=tuple(setting for setting in settings if setting.name not in FIRST),
    )


def train_spec(form: FormFields) -> dict[str, Any]:
    """The spec of a filled-in form; a setting left empty keeps the recipe's value. Raises BadQuery."""
    task = form.get("task") or TASK
    if task not in RECIPES:
        raise BadQuery("bad_config", f"Unknown task `{task[:40]}`; there are {', '.join(RECIPES)}.")
    kinds = _types(task)
    known = {"gallery", "recipe", "seed", "task", "then_scan", "scan_gallery", *(f"config.{name}" for name in kinds)}
    if unknown := sorted(set(form) - known):
        raise BadQuery("unknown_field", f"Unknown field `{unknown[0][:80]}`.")
    config = {name: _value(name, text, kinds[name]) for name in kinds if (text := form.get(f"config.{name}"))}
    return {
        "gallery": form.get("gallery", ""),
        "task": task,
        "recipe": form.get("recipe") or FIRST_RECIPE,
        "config": config,
        "seed": _value("seed", form.get("seed") or "0", int),
    }


def scan_after(form: FormFields, gallery: str) -> str | None:
    """The gallery to scan after the training on `gallery`, as the form says; None where it asks for no scan."""
    return (form.get("scan_gallery") or gallery) if form.get("then_scan") == "yes" else None


def _config(task: str) -> ImageConfig:
    return RECIPES[task]["paper"]


def _types(task: str) -> Mapping[str, Any]:
    return types(type(_config(task)))


def _recipes(task: str) -> tuple[str, ...]:
    """The recipes that the form offers: `small` first, `paper` last."""
    shown = [name for name in RECIPES[task] if name not in (*LABORATORY, FIRST_RECIPE, "paper")]
    return (FIRST_RECIPE, *shown, "paper")


def _setting(task: str, name: str) -> Setting:
    kind = _types(task)[name]
    about = next(item.metadata for item in fields(_config(task)) if item.name == name)
    choices = ("yes", "no") if kind is bool else tuple(map(str, get_args(kind))) if get_origin(kind) is Literal else ()
    values = {recipe: _shown(getattr(RECIPES[task][recipe], name)) for recipe in _recipes(task)}
    return Setting(name, about["help"], values, choices, about["low"], about["high"], kind is int, kind is str)


def _shown(value: object) -> object:
    return ("no", "yes")[value] if isinstance(value, bool) else value


def _value(name: str, text: str, kind: Any) -> Any:
    """The typed text as a value of the setting's type. Raises BadQuery."""
    if kind is bool:
        return text == "yes"
    if kind not in (int, float):
        return text
    try:
        return kind(text)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise BadQuery("invalid_value", f"`{name}`: expected {wanted}.", {"field": name}) from None


def start_training(services: Services, spec: Mapping[str, Any], scan_over: str | None) -> JobRecord:
    """Submit a training, and a scan of its checkpoint over the gallery `scan_over`; returns the training's job.

    The scan waits for the training; it can be submitted now because the checkpoint's slug is known from the start. A
    training that is done already and has such a scan gets no second one. Raises what `JobsService.submit` raises, and
    NotFound before anything is queued where there is no gallery `scan_over`.
    """
    if scan_over is not None:
        services.galleries.get(scan_over)
    job, _ = services.jobs.submit("train", spec)
    if scan_over is not None and job.output is not None and not _scanned(services, job.output.slug, scan_over):
        services.jobs.submit("scan", {"checkpoint": job.output.slug, "gallery": scan_over})
    return job


def _scanned(services: Services, checkpoint: str, gallery: str) -> bool:
    query = select(ScanRow.id).where(ScanRow.checkpoint == checkpoint, ScanRow.gallery == gallery, ScanRow.done)
    with services.store.read() as session:
        return session.scalar(query.limit(1)) is not None
