"""The house keeps its shape: imports point down, the server stays free of torch, files stay small."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from app.jobs.catalogue import KINDS
from tests.imports import CODE, HEAVY, ROOT, WRITTEN, imports, is_heavy, name_of, named, nodes, reached, source, tree

MAX_FILE, MAX_FUNCTION = 400, 60
LINUX_ONLY = {
    "sched_getaffinity": {"models/cores.py"},
    "cpu_count": {"models/cores.py"},  # of the machine: more than a process may use
    "waitid": {"app/jobs/executors/local.py"},  # on macOS from Python 3.13 on
    "WNOWAIT": {"app/jobs/executors/local.py"},
    "/proc": {"app/processes.py", "models/memory.py"},
    "prctl": {"app/inspector/limits.py"},
    "RLIMIT_AS": {"app/inspector/limits.py"},  # macOS has it, and refuses it
    "/dev/fd": {"models/foreign/opening.py"},  # macOS opens no new file there
    "SC_PHYS_PAGES": {"models/memory.py"},
    "malloc_trim": {"models/galleries/budget.py"},
}
NEVER = (
    *("sched_setaffinity", "process_cpu_count", "sched_setscheduler", "setns", "unshare", "/sys"),
    *("pidfd_open", "pidfd_send_signal", "PR_SET_CHILD_SUBREAPER", "sigtimedwait", "sigwaitinfo", "SC_AVPHYS_PAGES"),
    *("epoll", "eventfd", "timerfd_create", "inotify", "memfd_create", "pipe2", "F_SETPIPE_SZ", "F_ADD_SEALS"),
    *("sendfile", "splice", "copy_file_range", "posix_fadvise", "posix_fallocate", "fdatasync", "O_TMPFILE", "O_PATH"),
    *("O_DIRECT", "O_NOATIME", "getxattr", "setxattr", "getrandom", "RENAME_EXCHANGE", "F_OFD_SETLK", "RLIMIT_RTTIME"),
    *("SOCK_CLOEXEC", "SOCK_NONBLOCK", "MSG_NOSIGNAL", "SO_PEERCRED", "SO_BINDTODEVICE", "TCP_QUICKACK", "AF_NETLINK"),
)
PRINTERS = {"app/cli.py"}  # the command line is where people read output


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


def test_the_rooms_of_a_folder_import_each_other_in_no_circle() -> None:
    folders = ("models", "app", "app/services", "app/routes")
    assert {folder: rings(folder) for folder in folders if rings(folder)} == {}


def test_a_class_name_means_one_thing() -> None:
    """Public classes of app and models, wherever they stand in a module."""
    names = Counter(
        node.name
        for path in CODE
        for node in nodes(path)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, times in names.items() if times > 1] == []


def test_nothing_of_the_server_imports_torch_at_start() -> None:
    """What app.main and the submissions reach by imports at module level, followed without running anything."""
    found = reached("app.main", *(kind.submission for kind in KINDS.values()))
    assert [module for module, names in found.items() if is_heavy(names)] == []
    assert "app.services.checkpoints.service" in found and "models.card" in found


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
        for node in nodes(path)
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
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing <= PRINTERS


def test_one_module_knows_where_the_program_lies_and_one_starts_its_processes() -> None:
    """An installed program lies elsewhere than a clone, and its `app` is on no path but that of its own processes."""
    texts = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in (ROOT / "app").rglob("*.py")}
    assert [name for name, text in texts.items() if "__file__" in text] == ["app/root.py"]
    assert [name for name, text in texts.items() if "sys.executable" in text] == ["app/children.py"]


def test_what_only_linux_has_is_used_in_one_place_each_that_knows_another_way() -> None:
    """Tessera runs on macOS as well; whoever needs one of these asks the module that is named, or adds another way."""
    mentions: dict[str, set[str]] = {name: set() for name in LINUX_ONLY}
    names = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, (*LINUX_ONLY, *NEVER)))})\b")
    for path in CODE:
        for name in set(names.findall(source(path))):
            mentions.setdefault(name, set()).add(named(path))
    assert mentions == LINUX_ONLY


def test_handlers_are_plain_functions_and_short() -> None:
    """Parse, one call, shape: 12 lines of body at most, and `def` unless they stream."""
    long = []
    for path in sorted((ROOT / "app" / "routes").rglob("*.py")):
        for node in nodes(path):
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
