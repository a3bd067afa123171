"""The marks of tests say what they need, and a quick run holds them to it."""

import subprocess
import sys

import pytest

from tests.imports import ROOT, reaches_torch
from tests.marks import RefuseTorch, refuse_processes


@pytest.mark.parametrize(
    ("file", "needs"),
    [
        ("tests/models/tasks/test_counting.py", True),  # imports torch
        ("tests/models/samples/test_claims.py", True),
        ("tests/pages/test_tasks.py", True),  # imports a module of ours that does
        ("tests/models/evaluations/test_timelines.py", True),  # imports another test that does
        ("tests/pages/test_galleries.py", False),
        ("tests/api/test_galleries.py", False),
    ],
)
def test_what_a_file_imports_says_whether_it_needs_torch(file: str, needs: bool) -> None:
    assert reaches_torch(ROOT / file) is needs


def test_a_quick_test_that_imports_torch_is_told_to_be_marked() -> None:
    with pytest.raises(AssertionError, match="mark the test `torch`"):
        RefuseTorch.find_spec("torch")
    assert RefuseTorch.find_spec("numpy") is None


def test_a_quick_test_that_starts_a_process_of_the_application_is_told_to_be_marked() -> None:
    command = [sys.executable, "-m", "app.jobs.run", "folder"]
    with pytest.raises(AssertionError, match="mark the test `jobs`"):
        refuse_processes("subprocess.Popen", (sys.executable, command, None, None))
    refuse_processes("subprocess.Popen", ("git", ["git", "status"], None, None))


def test_a_quick_run_leaves_out_what_is_marked() -> None:
    """Asked of two files of the queue, of which one starts supervisors, and of a folder whose file imports torch."""
    chosen = ["tests/jobs/test_table.py", "tests/jobs/test_supervisor.py", "tests/models/evaluations"]
    plugins = [f"-pno:{name}" for name in ("schemathesis", "hypothesispytest", "anyio")]
    command = [sys.executable, "-m", "pytest", "--quick", "--collect-only", "-q", *plugins, *chosen]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert {line.partition(":")[0] for line in ran.stdout.splitlines() if line.startswith("tests/")} == {chosen[0]}
