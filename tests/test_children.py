"""Processes of ours start wherever somebody works, and whatever packages are called there."""

import os
import subprocess
from pathlib import Path

import pytest

from app import children
from app.console.doctor import torch_works
from app.root import ROOT

THEIRS = 'raise ImportError("this is the package of somebody else")\n'


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """We were started in a folder of somebody's own `app` and `models`, which is on PYTHONPATH as well."""
    for name in ("app", "models"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(THEIRS)
    (tmp_path / "theirs.py").write_text("ANSWER = 42\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("safe", ["", "1"])
@pytest.mark.parametrize("module", ["app.jobs.run", "app.jobs.supervisor"])
def test_a_process_of_ours_starts_beside_packages_of_the_same_name(
    module: str, safe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONSAFEPATH", safe)
    ran = children.run("-m", module, timeout=60)
    assert ran.stderr.decode().startswith(f"usage: python -m {module}")  # it lacks its argument, and nothing else


def test_a_process_of_ours_also_finds_what_the_path_of_its_user_names(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    code = "import os, theirs; print(theirs.ANSWER, os.environ['PYTHONPATH'], sep=os.linesep)"
    for named in (str(elsewhere), ".", os.pathsep.join(["", str(ROOT), "."])):
        monkeypatch.setenv("PYTHONPATH", named)
        said = children.run("-c", code, timeout=60).stdout.decode().splitlines()
        assert said == ["42", f"{ROOT}{os.pathsep}{elsewhere}"]


def test_the_environment_that_is_given_is_the_whole_one() -> None:
    code = "import os, app; print('HOME' in os.environ, os.environ['ONLY'])"
    process = children.start("-c", code, environment={"ONLY": "this"}, stdout=subprocess.PIPE)
    assert process.communicate(timeout=60)[0].split() == [b"False", b"this"]


def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        children.run("-c", "import time; time.sleep(600)", timeout=0.2)


def test_the_doctor_looks_at_libraries_and_not_at_files_that_lie_around(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH")
    (elsewhere / "json.py").write_text(THEIRS)
    assert torch_works("import json; print(json.dumps({}))\nraise SystemExit(3)").message.endswith("exit status 3")
