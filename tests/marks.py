"""What a test needs is found out and marked, so that nobody has to remember; `--quick` runs what needs none of it.

`torch`: its file imports torch, itself or through our modules. `browser` and `jobs`: it asks for a fixture that opens
Chromium, or starts processes of the application; whole jobs that run in the process of the test are `jobs` as well.
What cannot be seen that way, such as a training run by `run_jobs`, a test says by a mark of its own; in a quick run it
fails where that was forgotten.
"""

import atexit
import gc
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.imports import HEAVY, READ, reaches_torch, source

KEPT = "tessera/imports"  # in the cache of pytest: what each file imports, so that most need not be parsed
MARKS = ("browser", "jobs", "torch")
BY_FIXTURE = {"browser": {"browser"}, "jobs": {"queue", "supervised", "predictor", "inspector"}}
PROCESSES = ("app.jobs.", "app.predictor.", "app.inspector.", "tests.jobs.")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="without what is marked browser, jobs or torch")


def pytest_configure(config: pytest.Config) -> None:
    cache = getattr(config, "cache", None)  # missing under `-p no:cacheprovider`
    READ.update(cache.get(KEPT, {}) if cache else {})
    if config.getoption("quick"):
        sys.meta_path.insert(0, RefuseTorch())
        sys.addaudithook(refuse_processes)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A quick run does not even import a file that imports torch, or whose every test is marked."""
    quick = config.getoption("quick") and collection_path.suffix == ".py"
    return True if quick and (reaches_torch(collection_path) or _is_marked(collection_path)) else None


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        for mark, names in BY_FIXTURE.items():
            if fixtures & names:
                item.add_marker(mark)
        if reaches_torch(item.path):
            item.add_marker("torch")
    if config.getoption("quick"):
        left_out = [item for item in items if any(item.get_closest_marker(mark) for mark in MARKS)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
        items.sort(key=lambda item: "server" in getattr(item, "fixturenames", ()))  # its workspace is filled meanwhile


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported and read stays to the end: the garbage collector need not go through it after each test."""
    if cache := getattr(session.config, "cache", None):
        cache.set(KEPT, READ)
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # compiled libraries complain of what is never freed


def _is_marked(path: Path) -> bool:
    return any(f"\npytestmark = pytest.mark.{mark}\n" in source(path) for mark in MARKS)


class RefuseTorch:
    """Stands before all finders of modules: in a quick run no test and no fixture may import torch."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        assert name not in HEAVY, f"imports {name}, and a quick run must not: mark the test `torch`"


def refuse_processes(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        started = [str(word) for word in arguments[1] if str(word).startswith(PROCESSES)]
        assert not started, f"starts {started[0]}: mark the test `jobs`"
