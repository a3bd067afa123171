"""Reads templates as a type checker does: with the types of their context, through loops, macros, includes and imports.

A type is a set of alternatives, each an annotation as Python writes it; an empty set is a type that nobody knows.
"""

import collections.abc
import functools
import inspect
import operator
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ForwardRef, TypeVar, get_args, get_origin, get_type_hints

from jinja2 import Environment, nodes

Type = frozenset[object]
UNKNOWN: Type = frozenset()
TEXT: Type = frozenset({str})
WHOLE: Type = frozenset({int})
YES_OR_NO: Type = frozenset({bool})
SAME = {"list", "sort", "selectattr", "rejectattr", "select", "reject", "unique", "reverse", "batch", "default"}
OF_JINJA: dict[str, Type] = {"loop": UNKNOWN, "caller": UNKNOWN, "self": UNKNOWN}


@dataclass(frozen=True)
class Method:
    """Something that can be called."""

    gives: Type


@dataclass(frozen=True)
class Macro:
    """A macro, the template that it stands in, and what it sees beside its arguments."""

    node: nodes.Macro
    at: str
    scope: "Scope" = field(hash=False, compare=False)


@dataclass(frozen=True)
class Module:
    """What an import gives."""

    names: Mapping[str, Type] = field(hash=False, compare=False)


Scope = dict[str, Type]


def type_of(annotation: object, known: Mapping[object, object] | None = None) -> Type:
    """An annotation as a set of alternatives; type variables stand for what `known` says."""
    if known and isinstance(annotation, TypeVar):
        annotation = known.get(annotation, Any)
    if annotation in (Any, inspect.Parameter.empty) or isinstance(annotation, TypeVar | ForwardRef | str):
        return UNKNOWN
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        parts = [type_of(part, known) for part in inner if part is not types.NoneType]
        return UNKNOWN if any(not part for part in parts) else frozenset().union(*parts)
    if origin is typing.Annotated:
        return type_of(inner[0], known)
    if origin is typing.Literal:
        return frozenset(type(value) for value in inner)
    if known and inner and any(isinstance(part, TypeVar) for part in inner):
        annotation = annotation[tuple(known.get(part, part) for part in inner)]  # type: ignore[index]
    return frozenset({annotation})


def hints(cls: type) -> dict[str, object]:
    try:
        return get_type_hints(cls, include_extras=True)
    except (NameError, TypeError):  # names that are only imported for type checkers
        return {}


def gives(function: Callable[..., object], known: Mapping[object, object]) -> Type:
    try:
        return type_of(get_type_hints(function).get("return", Any), known)
    except (NameError, TypeError):
        return UNKNOWN


def element(found: object) -> Type:
    """What a loop over a value of this type sees."""
    origin, inner = get_origin(found) or found, get_args(found)
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        return union(type_of(part) for part in inner)
    if inner and inspect.isclass(origin) and issubclass(origin, collections.abc.Iterable):
        return type_of(inner[0])
    return TEXT if found is str else UNKNOWN


def union(parts: Iterable[Type]) -> Type:
    found = list(parts)
    return UNKNOWN if not found or any(not part for part in found) else frozenset().union(*found)


def member(found: object, name: str) -> Type | None:
    """The type of an attribute of a value of this type, as Jinja finds it; None where there is no such attribute."""
    if isinstance(found, Module):
        return found.names.get(name)
    origin, inner = get_origin(found) or found, get_args(found)
    if not inspect.isclass(origin):
        return UNKNOWN
    if typing.is_typeddict(origin):
        return type_of(hints(origin)[name]) if name in hints(origin) else _method(origin, name, {})
    if issubclass(origin, collections.abc.Mapping):
        return _of_mapping(inner, name)
    known = dict(zip(getattr(origin, "__parameters__", ()), inner, strict=False))
    told = hints(origin)
    return type_of(told[name], known) if name in told else _method(origin, name, known)


def _method(cls: type, name: str, known: Mapping[object, object]) -> Type | None:
    found = inspect.getattr_static(cls, name, None)
    if isinstance(found, property):
        return gives(found.fget, known) if found.fget else UNKNOWN
    if isinstance(found, functools.cached_property):
        return gives(found.func, known)
    if inspect.isfunction(found):
        return frozenset({Method(gives(found, known))})
    return UNKNOWN if found is not None else None


def _of_mapping(inner: tuple[object, ...], name: str) -> Type:
    key, value = inner if len(inner) == 2 else (Any, Any)
    views: dict[str, object] = {"items": list[tuple[key, value]], "keys": list[key], "values": list[value]}  # type: ignore[valid-type]
    return frozenset({Method(type_of(views[name]))}) if name in views else type_of(value)


@functools.cache
def _parsed(environment: Environment, name: str) -> nodes.Template:
    assert environment.loader is not None
    return environment.parse(environment.loader.get_source(environment, name)[0])


class Reading:
    """One context with its template: what the template uses, and what it uses that is not there."""

    def __init__(
        self, environment: Environment, template: str, scope: Mapping[str, Type], shared: Mapping[str, Type]
    ) -> None:
        self.environment, self.shared = environment, dict(shared)
        self.faults: dict[str, None] = {}
        self.used: set[str] = set()
        self.templates: set[str] = set()
        self._given = set(scope)
        self._called: set[str] = set()
        self._at = template
        self._template(template, {**self.shared, **OF_JINJA, **scope})

    # Statements

    def _template(self, name: str, scope: Scope) -> None:
        before, self._at = self._at, name
        self.templates.add(name)
        self._body(_parsed(self.environment, name).body, scope)
        self._at = before

    def _body(self, body: Iterable[nodes.Node], scope: Scope) -> None:
        for node in body:
            self._statement(node, scope)

    def _statement(self, node: nodes.Node, scope: Scope) -> None:
        match node:
            case nodes.Output():
                for part in node.nodes:
                    self.type(part, scope)
            case nodes.Extends() | nodes.Include():
                self._template(_constant(node.template), scope)
            case nodes.Import():
                scope[node.target] = frozenset(
                    {self._module(_constant(node.template), scope if node.with_context else {})}
                )
            case nodes.FromImport():
                module = self._module(_constant(node.template), scope if node.with_context else {})
                for name in node.names:
                    scope[name if isinstance(name, str) else name[1]] = module.names[
                        name if isinstance(name, str) else name[0]
                    ]
            case nodes.Macro():
                scope[node.name] = frozenset({Macro(node, self._at, scope)})
            case nodes.Assign():
                self._bind(node.target, self.type(node.node, scope), scope)
            case nodes.For():
                self._loop(node, scope)
            case nodes.If():
                self._branches(node, scope)
            case nodes.With():
                inner = dict(scope)
                for target, value in zip(node.targets, node.values, strict=True):
                    self._bind(target, self.type(value, scope), inner)
                self._body(node.body, inner)
            case nodes.CallBlock():
                self._body(node.body, {**scope, **OF_JINJA})
                self.type(node.call, scope)
            case nodes.Block() | nodes.Scope():
                self._body(node.body, dict(scope))
            case _:
                self._body(node.iter_child_nodes(), scope)

    def _module(self, name: str, scope: Scope) -> Module:
        inner = {**self.shared, **scope}
        self._template(name, inner)
        return Module(inner)

    def _loop(self, node: nodes.For, scope: Scope) -> None:
        inner = {**scope, **OF_JINJA}
        found = self.type(node.iter, scope)
        self._bind(node.target, union(element(one) for one in found), inner)
        if node.test:
            self.type(node.test, inner)
        self._body(node.body, inner)
        self._body(node.else_, dict(scope))

    def _branches(self, node: nodes.If, scope: Scope) -> None:
        self.type(node.test, scope)
        ways = []
        for body in (node.body, node.elif_, node.else_):
            ways.append(dict(scope))
            self._body(body, ways[-1])
        for name in {name for way in ways for name in way}:
            scope[name] = union(way[name] for way in ways if name in way)

    def _bind(self, target: nodes.Node, found: Type, scope: Scope) -> None:
        if isinstance(target, nodes.Name):
            scope[target.name] = found
        elif isinstance(target, nodes.Tuple):
            for place, part in enumerate(target.items):
                self._bind(part, union(_at(one, place) for one in found), scope)

    # Expressions

    def type(self, node: nodes.Node | None, scope: Scope) -> Type:
        match node:
            case nodes.Name():
                return self._name(node.name, scope)
            case nodes.Getattr():
                return self._attribute(node.attr, self.type(node.node, scope))
            case nodes.Getitem():
                return self._item(node, scope)
            case nodes.Const():
                return UNKNOWN if node.value is None else frozenset({type(node.value)})
            case nodes.Tuple() | nodes.List():
                parts = [self.type(part, scope) for part in node.items]
                return frozenset({_pair(parts)}) if isinstance(node, nodes.Tuple) else _listed(parts)
            case nodes.CondExpr():
                self.type(node.test, scope)
                return union([self.type(node.expr1, scope), self.type(node.expr2, scope)])
            case nodes.And() | nodes.Or():
                return union([self.type(node.left, scope), self.type(node.right, scope)])
            case nodes.Call():
                return self._call(node, scope)
            case nodes.Filter():
                return self._filter(node, scope)
            case nodes.TemplateData():
                return TEXT
            case nodes.Node():
                for part in node.iter_child_nodes():
                    self.type(part, scope)
                return TEXT if isinstance(node, nodes.Concat) else UNKNOWN
            case _:
                return UNKNOWN

    def _name(self, name: str, scope: Scope) -> Type:
        self.used.add(name)
        if name not in scope and name not in self.environment.globals:
            self._fault(name)
        return scope.get(name, UNKNOWN)

    def _attribute(self, name: str, found: Type) -> Type:
        members = [member(one, name) for one in found]
        if found and all(one is None for one in members):
            names = " | ".join(sorted(getattr(one, "__name__", str(one)) for one in found))
            self._fault(f"{names}.{name}")
        return union(one for one in members if one is not None)

    def _item(self, node: nodes.Getitem, scope: Scope) -> Type:
        found = self.type(node.node, scope)
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return self._attribute(node.arg.value, found)
        if isinstance(node.arg, nodes.Const):
            return union(_at(one, node.arg.value) for one in found)
        self.type(node.arg, scope)
        return found if isinstance(node.arg, nodes.Slice) else UNKNOWN

    def _call(self, node: nodes.Call, scope: Scope) -> Type:
        places = [self.type(part, scope) for part in node.args]
        named = {part.key: self.type(part.value, scope) for part in node.kwargs}
        return union(self._called_with(one, places, named) for one in self.type(node.node, scope))

    def _called_with(self, found: object, places: list[Type], named: Mapping[str, Type]) -> Type:
        if isinstance(found, Method):
            return found.gives
        if get_origin(found) is collections.abc.Callable:
            return type_of(get_args(found)[1])
        if isinstance(found, Macro):
            self._macro(found, places, named)
            return TEXT
        return UNKNOWN

    def _macro(self, found: Macro, places: list[Type], named: Mapping[str, Type]) -> None:
        names = [part.name for part in found.node.args]
        given = {**dict(zip(names, places, strict=False)), **named}
        told = sorted((name, sorted(map(str, one))) for name, one in given.items())
        key = f"{id(found.scope)} {found.node.name} {told}"
        if key in self._called:
            return
        self._called.add(key)
        for name in given:
            if name not in names:
                self._fault(f"{found.node.name}({name}=)")
        defaults = dict(zip(names[len(names) - len(found.node.defaults) :], found.node.defaults, strict=True))
        inner = {**found.scope, **OF_JINJA}
        for name in names:
            inner[name] = given[name] if name in given else self.type(defaults.get(name), found.scope)
        before, self._at = self._at, found.at
        self._body(found.node.body, inner)
        self._at = before

    def _filter(self, node: nodes.Filter, scope: Scope) -> Type:
        found = self.type(node.node, scope)
        for part in (*node.args, *(one.value for one in node.kwargs)):
            self.type(part, scope)
        if node.name in ("first", "last", "min", "max"):
            return union(element(one) for one in found)
        if node.name == "map" or node.name in SAME:
            return UNKNOWN if node.name == "map" else found
        return WHOLE if node.name in ("length", "int") else TEXT

    def _fault(self, what: str) -> None:
        self.faults[f"{self._at}: {what}"] = None


def _constant(node: nodes.Node) -> str:
    assert isinstance(node, nodes.Const), "templates name others as they are"
    return str(node.value)


def _at(found: object, place: object) -> Type:
    inner = get_args(found)
    if (
        get_origin(found) is tuple
        and Ellipsis not in inner
        and isinstance(place, int)
        and -len(inner) <= place < len(inner)
    ):
        return type_of(inner[place])
    return element(found)


def _pair(parts: list[Type]) -> object:
    return tuple[tuple(_either(part) for part in parts)]  # type: ignore[misc]


def _listed(parts: list[Type]) -> Type:
    found = union(parts)
    return frozenset({list[_either(found)]}) if found else UNKNOWN  # type: ignore[misc]


def _either(found: Type) -> object:
    """The alternatives as one annotation."""
    return functools.reduce(operator.or_, found) if found else Any  # type: ignore[arg-type]
