"""Turns an OpenAPI document into what the page /docs shows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """A parameter, or one field of a body. `kind` is its type as readers see it, `text` its description."""

    name: str
    place: str  # path, query, or body
    kind: str
    required: bool
    text: str


@dataclass(frozen=True)
class Operation:
    """One method of one address; `id` is its anchor on the page."""

    id: str
    method: str
    path: str
    text: str
    parameters: tuple[Field, ...]
    bodies: tuple[tuple[str, tuple[Field, ...]], ...]  # (content type, fields)


def groups(document: Schema) -> dict[str, list[Operation]]:
    """The operations below /api, grouped by the resource they are about, in the order of the routes."""
    found: dict[str, list[Operation]] = {}
    for operation in _operations(document):
        parts = operation.path.split("/")
        found.setdefault(parts[2] if len(parts) > 2 else "workspace", []).append(operation)
    return found


def _operations(document: Schema) -> Iterator[Operation]:
    for path, methods in document.get("paths", {}).items():
        if path != "/api" and not path.startswith("/api/"):
            continue
        for method in METHODS:
            if method in methods:
                yield _operation(document, path, method, methods[method])


def _operation(document: Schema, path: str, method: str, given: Schema) -> Operation:
    parameters = tuple(
        Field(
            item["name"],
            item["in"],
            kind(document, item.get("schema", {})),
            bool(item.get("required")),
            item.get("description", ""),
        )
        for item in sorted(given.get("parameters", []), key=lambda item: _place(path, item))
    )
    content = given.get("requestBody", {}).get("content", {})
    bodies = tuple((name, _fields(document, body.get("schema", {}))) for name, body in content.items())
    text = given.get("description") or given.get("summary", "")
    return Operation(f"{method}{path.replace('/', '-')}", method.upper(), path, text, parameters, bodies)


def _place(path: str, parameter: Schema) -> int:
    """Sorts the parameters of the path first, in its order; the document lists those of a dependency last."""
    return path.index(f"{{{parameter['name']}}}") if parameter["in"] == "path" else len(path)


def _fields(document: Schema, schema: Schema) -> tuple[Field, ...]:
    """The fields of a body that is an object; if it may be one of several objects, the fields of all of them."""
    schema = _resolved(document, schema)
    choices = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    if choices:
        return tuple({field.name: field for choice in choices for field in _fields(document, choice)}.values())
    required = schema.get("required", [])
    return tuple(
        Field(name, "body", kind(document, field), name in required, field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    )


def kind(document: Schema, schema: Schema) -> str:
    """The type of a value in words: `integer 1..500, default 50`, `list of number`, `"l2" or "cosine"`."""
    default = schema.get("default")
    text = _bare_kind(document, schema)
    return f"{text}, default {default}" if default not in (None, "", False) else text


def _bare_kind(document: Schema, schema: Schema) -> str:
    schema = _resolved(document, schema)
    choices = [
        choice for choice in (*schema.get("anyOf", []), *schema.get("oneOf", [])) if choice.get("type") != "null"
    ]
    if choices:
        return " or ".join(dict.fromkeys(_bare_kind(document, choice) for choice in choices))
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return " or ".join(f'"{value}"' for value in schema["enum"])
    name = "file" if schema.get("format") == "binary" or "contentMediaType" in schema else schema.get("type", "any")
    if name == "array":
        return f"list of {_bare_kind(document, schema.get('items', {}))}"
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None or name not in ("integer", "number"):
        return str(name)
    return f"{name} ≥ {low}" if high is None or high >= 2**53 else f"{name} {low}..{high}"


def _resolved(document: Schema, schema: Schema) -> Schema:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found  # type: ignore[no-any-return]
