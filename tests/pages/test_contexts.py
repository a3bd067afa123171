"""Every name that a template uses is a field of its context, and every field of a context is used by its template."""

import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_type_hints

import pytest

import app.main
from app.settings import Settings
from app.web.frame import Frame, Globals, PageContext
from app.web.templating import TEMPLATES, Pages
from tests.templates import Reading, Type, type_of

LONGEST = 160  # characters of a line


def contexts(base: type[PageContext] = PageContext) -> Iterator[type[PageContext]]:
    """All contexts of the application, whose routes are loaded with it."""
    for context in base.__subclasses__():
        yield context
        yield from contexts(context)


CONTEXTS = sorted(contexts(), key=lambda context: context.__name__)


def typed(context: type[Any]) -> dict[str, Type]:
    told = get_type_hints(context)
    return {field.name: type_of(told[field.name]) for field in fields(context)}


@pytest.fixture(scope="module")
def pages() -> Pages:
    assert app.main.ROUTERS
    return Pages(Settings())


@cache
def reading(context: type[PageContext], pages: Pages) -> Reading:
    frame = {} if context.template.startswith("_") else typed(Frame)
    return Reading(pages.environment, context.template, {**frame, **typed(context)}, typed(Globals))


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_template_uses_what_its_context_has(context: type[PageContext], pages: Pages) -> None:
    found = reading(context, pages)
    assert list(found.faults) == []
    assert {field.name for field in fields(context)} - found.used == set()


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_context_is_a_value_with_a_name_like_its_kind(context: type[PageContext]) -> None:
    assert is_dataclass(context) and context.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert context.__name__.endswith("Context") and (TEMPLATES / context.template).is_file()
    assert not typed(context).keys() & (typed(Frame).keys() | typed(Globals).keys())
    assert inspect.getdoc(context)


def test_every_template_belongs_to_a_context(pages: Pages) -> None:
    """A page by itself, a part of one through the page that includes or imports it."""
    read = {name for context in CONTEXTS for name in reading(context, pages).templates}
    assert {path.name for path in TEMPLATES.iterdir()} - read == set()


def test_the_lines_of_templates_are_short() -> None:
    long = [
        f"{path.name}:{number}"
        for path in sorted(TEMPLATES.iterdir())
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > LONGEST
    ]
    assert long == []
