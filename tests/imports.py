"""What the modules of this repository import, read from their text; nothing is run."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted(path for folder in ("app", "models", "tessera") for path in (ROOT / folder).rglob("*.py"))
WRITTEN = [*CODE, *sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])]
HEAVY = {"torch", "torchvision"}
READ: dict[str, Any] = {}  # what files import, with what they are known by; `tests/marks.py` keeps it between runs


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def name_of(path: Path) -> str:
    return named(path.with_suffix("")).replace("/", ".").removesuffix(".__init__")


BY_NAME = {name_of(path): path for path in WRITTEN}


@cache
def source(path: Path) -> str:
    return path.read_text("utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(source(path), filename=str(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a module's tree, in no order."""
    return tuple(ast.walk(tree(path)))


@cache
def imports(path: Path, *, anywhere: bool = True) -> set[str]:
    """Dotted names a module imports; type-checking blocks and, unless `anywhere`, functions are left out."""
    written, key = _written(path), f"{path} {anywhere}"
    if key in READ and READ[key][0] == written:
        return set(READ[key][1])
    found: set[str] = set()
    for node in walk(tree(path), into_functions=anywhere):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    READ[key] = [written, sorted(found)]
    return found


def _written(path: Path) -> list[int]:
    """By what a file is known to be the same as before; this one decides what is found in it."""
    return [number for one in (path, Path(__file__)) for number in (one.stat().st_mtime_ns, one.stat().st_size)]


def walk(node: ast.AST, *, into_functions: bool) -> Iterator[ast.stmt]:
    """The statements below a node that run, in no order; nothing below an expression can import."""
    todo = [node]
    while todo:
        for child in ast.iter_child_nodes(todo.pop()):
            if isinstance(child, ast.expr):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not into_functions:
                continue
            todo.append(child)
            if isinstance(child, ast.stmt):
                yield child


def reached(*modules: str) -> dict[str, set[str]]:
    """The modules of ours that come along when some are imported, these included, each with the names it imports."""
    todo, found = [*modules], dict[str, set[str]]()
    while todo:
        one = todo.pop()
        if one in found:
            continue
        found[one] = imports(BY_NAME[one], anywhere=False)
        packages = [one.rpartition(".")[0]]  # importing a.b runs a first
        todo += [name for name in (*found[one], *packages) if name in BY_NAME]
    return found


def is_heavy(names: set[str]) -> bool:
    return bool({name.partition(".")[0] for name in names} & HEAVY)


@cache
def reaches_torch(path: Path) -> bool:
    """Whether a file of tests imports torch, itself at any place or by what it imports of ours."""
    own = imports(path)
    ours = (name for name in own if name in BY_NAME)
    return is_heavy(own) or any(is_heavy(names) for name in ours for names in reached(name).values())
