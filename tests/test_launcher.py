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


def test_names_of_files_are_utf8_whatever_the_locale(site: Path) -> None:
    home = program(site / "tessera" / "_home")
    tell = "print(sys.getfilesystemencoding(), sys.argv[1:])"
    (home / "app" / "cli.py").write_text(f"import sys\ndef main():\n    {tell}\n")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    def answer(code: str) -> str:
        command = (sys.executable, "-c", code, "import", "\u00fcber".encode())
        return subprocess.run(command, cwd=site, env=ascii_only, capture_output=True, check=True).stdout.decode()

    assert "utf" not in answer(f"import sys; {tell}")
    assert answer(COMMAND) == "utf-8 ['import', '\u00fcber']\n"
