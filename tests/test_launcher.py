"""The `tessera` command finds its own program, and leaves to others the names that are theirs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tessera.launcher

COMMAND = "from tessera.launcher import main; main()"
PROGRAM = "import models\ndef main():\n    print(f'{__file__} with {models.__file__}')\n"


def program(folder: Path) -> Path:
    """An `app` with a command line, and the `models` that it needs."""
    for name in ("app", "models"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
    (folder / "app" / "cli.py").write_text(PROGRAM)
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of installed packages: our launcher, and an `app` and `models` of somebody else."""
    shutil.copytree(Path(tessera.launcher.__file__).parent, tmp_path / "site" / "tessera")
    for name in ("app", "models"):
        (tmp_path / "site" / name).mkdir()
        (tmp_path / "site" / name / "__init__.py").write_text('raise ImportError("somebody else\'s")\n')
    return tmp_path / "site"


def said(code: str, site: Path, safe: str = "") -> str:
    """What a Python says that finds packages in `site` and nowhere else, and starts there."""
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": safe}
    ran = subprocess.run([sys.executable, "-S", "-c", code], cwd=site, env=environment, capture_output=True, text=True)
    return (ran.stdout + ran.stderr).strip()


@pytest.mark.parametrize("safe", ["", "1"])
def test_an_installed_program_is_found_before_packages_of_the_same_names(site: Path, safe: str) -> None:
    home = program(site / "tessera" / "_home")
    assert said(COMMAND, site, safe) == f"{home / 'app' / 'cli.py'} with {home / 'models' / '__init__.py'}"


def test_in_a_clone_the_program_lies_beside_the_launcher(site: Path, tmp_path: Path) -> None:
    clone = program(tmp_path / "clone")
    shutil.move(site / "tessera", clone / "tessera")
    code = f"import sys; sys.path.append({str(clone)!r}); {COMMAND}"  # as the editable installation puts it, last
    assert said(code, site) == f"{clone / 'app' / 'cli.py'} with {clone / 'models' / '__init__.py'}"


@pytest.mark.parametrize("name", ["app", "models"])
def test_whoever_imports_their_own_package_gets_it(site: Path, name: str) -> None:
    program(site / "tessera" / "_home")
    assert said(f"import tessera, {name}", site).endswith("ImportError: somebody else's")
