"""The house keeps its shape: imports point down, the server stays free of torch, files stay small."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from app.jobs.catalogue import KINDS

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted(path for folder in ("app", "models", "tessera") for path in (ROOT / folder).rglob("*.py"))
WRITTEN = [*CODE, *sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])]
MAX_FILE, MAX_FUNCTION = 400, 60
HEAVY = {"torch", "torchvision"}
PRINTERS = {"app/cli.py"}  # the command line is where people read output


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def name_of(path: Path) -> str:
    return named(path.with_suffix("")).replace("/", ".").removesuffix(".__init__")


@cache
def source(path: Path) -> str:
    return path.read_text("utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(source(path), filename=str(path))


@cache
def imports(path: Path, *, anywhere: bool = True) -> set[str]:
    """Dotted names a module imports; type-checking blocks and, unless `anywhere`, functions are left out."""
    found: set[str] = set()
    for node in walk(tree(path), into_functions=anywhere):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


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


def offenders(folder: str, *forbidden: str, but: tuple[str, ...] = ()) -> list[str]:
    """`file: import` for every import below `folder` that starts with a forbidden name."""
    return [
        f"{named(path)}: {name}"
        for path in CODE
        if named(path).startswith(folder)
        for name in sorted(imports(path))
        if any(name == bad or name.startswith(f"{bad}.") for bad in forbidden)
        and not any(name == good or name.startswith(f"{good}.") or good.startswith(f"{name}.") for good in but)
    ]


def test_the_science_knows_nothing_of_the_application() -> None:
    assert offenders("models/", "app", "fastapi", "starlette", "sqlalchemy", "jinja2") == []


def test_services_know_nothing_of_the_web() -> None:
    assert offenders("app/services/", "fastapi", "starlette", "jinja2", "app.routes", "app.deps", "app.web") == []


def test_the_store_knows_neither_services_nor_routes() -> None:
    assert offenders("app/store/", "app.services", "app.routes", "fastapi") == []


def test_a_kind_of_job_sees_only_the_science_and_its_context() -> None:
    assert (
        offenders("app/jobs/kinds/", "app", "sqlalchemy", "fastapi", but=("app.jobs.context", "app.jobs.kinds")) == []
    )


def test_the_table_is_not_reached_from_routes() -> None:
    assert offenders("app/routes/", "sqlalchemy", "app.store.tables") == []


def test_only_the_entry_points_import_routes() -> None:
    """The application, and the command line for the shape of its JSON, which is that of REST."""
    allowed = ("app/main.py", "app/console/", "app/routes/")
    assert [line for line in offenders("app/", "app.routes") if not line.startswith(allowed)] == []


def rings(folder: str) -> list[list[str]]:
    """The groups of rooms in a folder that import each other in a circle; a room is a folder or a module at the top."""
    base = ROOT / folder
    package = folder.replace("/", ".")
    rooms = {name_of(path).removeprefix(f"{package}.").split(".")[0] for path in base.rglob("*.py")}
    graph: dict[str, set[str]] = {room: set() for room in rooms}
    for path in base.rglob("*.py"):
        own = path.relative_to(base).parts[0].removesuffix(".py")
        for name in imports(path):
            room = name.removeprefix(f"{package}.").split(".")[0]
            if name.startswith(f"{package}.") and room in rooms and room != own:
                graph.setdefault(own, set()).add(room)
    ahead = {room: reachable(graph, room) for room in graph}
    circles = {frozenset(other for other in ahead[room] if room in ahead[other]) for room in graph}
    return sorted(sorted(circle) for circle in circles if circle)


def reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """The rooms that imports lead to from one room, itself only where they lead back to it."""
    found, todo = set[str](), [start]
    while todo:
        for room in graph.get(todo.pop(), set()) - found:
            found.add(room)
            todo.append(room)
    return found


@pytest.mark.parametrize("folder", ["models", "app", "app/services", "app/routes"])
def test_the_rooms_of_a_folder_import_each_other_in_no_circle(folder: str) -> None:
    assert rings(folder) == []


# Names that two classes of the application still share; every other class has a name of its own.
STILL_TWICE = {
    "Asked",
    "Chosen",
    "Column",
    "Growth",
    "Line",
    "Overview",
    "Pair",
    "PanelUnit",
    "Prepared",
    "Progress",
    "Row",
    "Server",
    "UnitRow",
    "View",
}


def test_a_class_name_means_one_thing() -> None:
    """Public classes of app and models, wherever they stand in a module."""
    names = Counter(
        node.name
        for path in CODE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, times in names.items() if times > 1} == STILL_TWICE


def test_nothing_of_the_server_imports_torch_at_start() -> None:
    """What app.main and the submissions reach by imports at module level, followed without running anything."""
    by_name = {name_of(path): path for path in CODE}
    todo, seen = ["app.main", *(kind.submission for kind in KINDS.values())], set[str]()
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        names = imports(by_name[module], anywhere=False)
        assert not {name.split(".")[0] for name in names} & HEAVY, f"{module} imports torch"
        todo += [name for name in names if name in by_name]
    assert "app.services.checkpoints.service" in seen and "models.card" in seen


def test_the_server_process_has_no_torch_in_it() -> None:
    """Proven by importing it, with every route, in a process of its own."""
    code = (
        "import sys, app.main; "
        f"heavy = sorted({HEAVY!r} & set(sys.modules)); "
        "assert not heavy, heavy; assert 'fastapi' in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr[-2000:]


def test_a_file_holds_one_idea() -> None:
    long = [f"{named(path)} ({lines} lines)" for path in WRITTEN if (lines := source(path).count("\n")) > MAX_FILE]
    assert long == [], "that is two ideas"


def test_a_function_fits_a_screen() -> None:
    long = [
        f"{named(path)}: {node.name} ({lines} lines)"
        for path in WRITTEN
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION
    ]
    assert long == []


def test_a_module_begins_with_a_sentence() -> None:
    """A sentence that says what the module is for; an empty `__init__.py` needs none."""
    without = [
        named(path)
        for path in CODE
        if (path.name != "__init__.py" or source(path).strip())
        and not (ast.get_docstring(tree(path)) or "").partition("\n")[0].rstrip().endswith((".", ":", "?"))
    ]
    assert without == []


def test_only_the_command_line_prints() -> None:
    printing = {
        named(path)
        for path in CODE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing <= PRINTERS


def test_one_module_knows_where_the_program_lies_and_one_starts_its_processes() -> None:
    """An installed program lies elsewhere than a clone, and its `app` is on no path but that of its own processes."""
    texts = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in (ROOT / "app").rglob("*.py")}
    assert [name for name, text in texts.items() if "__file__" in text] == ["app/root.py"]
    assert [name for name, text in texts.items() if "sys.executable" in text] == ["app/children.py"]


def test_handlers_are_plain_functions_and_short() -> None:
    """Parse, one call, shape: 12 lines of body at most, and `def` unless they stream."""
    long = []
    for path in sorted((ROOT / "app" / "routes").rglob("*.py")):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and any(
                "router." in ast.unparse(item) for item in node.decorator_list
            ):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (node.end_lineno or 0) - body[0].lineno + 1
                if lines > 12:
                    long.append(f"{path.name}:{node.name} ({lines})")
    assert long == []


def tracked() -> list[Path]:
    """The files of the repository, or where there is no git what is not obviously something else."""
    asked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if asked.returncode == 0:
        return [ROOT / line for line in asked.stdout.splitlines() if (ROOT / line).is_file()]
    return [*WRITTEN, ROOT / "pyproject.toml", ROOT / "requirements.lock", ROOT / "README.md"]


def test_no_file_names_a_registry_or_a_place_of_one_machine() -> None:
    """What ties a clone to one machine: package indexes, home folders, other people's mounts."""
    registry = re.compile(
        r"index-url|find-links\s|files\.pythonhosted|\"resolved\":|registry\s*=\s*\"?http", re.IGNORECASE
    )
    place = re.compile(r"(?<![\w.])/(?:root|home/\w+|Users/\w+|work|mnt|opt)/[\w.]")
    allowed = {"Makefile", "tests/test_layers.py"}  # the flags that keep addresses out are named in the first
    found = []
    for path in tracked():
        name = named(path)
        if name in allowed or path.stat().st_size > 1_000_000:
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {match.group()}" for rule in (registry, place) for match in rule.finditer(text)]
    assert found == []
