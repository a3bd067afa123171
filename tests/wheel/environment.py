"""The wheel, and an environment in which somebody else's `app` and `models` are installed as well."""

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

HOME = "tessera/_home"
FOLDERS = ("app", "models", "templates", "static")  # what lies there
FOREIGN = 'raise ImportError("the package of somebody else")\n'
PATIENCE = 3600.0  # seconds for any one wait: only what hangs takes so long, however busy the machine is


def uv(*words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "uv", *map(str, words)], check=True, timeout=PATIENCE)


def build(root: Path, folder: Path) -> Path:
    """The wheel of the clone, made in `folder`."""
    uv("build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", folder, root)
    (wheel,) = folder.glob("*.whl")
    return wheel


def check_files(wheel: Path, root: Path) -> None:
    """Every file of the program is in the wheel, with the licence, and no other."""
    listed = set(zipfile.ZipFile(wheel).namelist())
    about = {name for name in listed if name.split("/")[0].endswith(".dist-info")}
    wanted = {f"{HOME}/{name}" for folder in FOLDERS for name in _files(root, folder)} | _files(root, "tessera")
    assert listed - about == wanted, sorted((listed - about) ^ wanted)
    assert any(name.endswith("/licenses/LICENSE") for name in about), about


def foreign_packages(folder: Path) -> None:
    """An `app` and a `models` that must never be imported by us."""
    for name in ("app", "models"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(FOREIGN)


def _files(root: Path, folder: str) -> set[str]:
    found = (path for path in (root / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix() for path in found}


@dataclass(frozen=True)
class Environment:
    """An environment with the wheel in it, and a folder that somebody works in; both hold packages named like ours."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, wheel: Path, constraints: Path) -> Self:
        made = cls(folder)
        uv("venv", "--quiet", "--python", sys.executable, folder / "env")
        uv("pip", "install", "--quiet", "--python", made.program("python"), "-c", constraints, wheel)
        foreign_packages(made.packages)
        foreign_packages(made.work)
        return made

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        (found,) = (self.folder / "env" / "lib").glob("python*/site-packages")
        return found

    @property
    def work(self) -> Path:
        """Where somebody works, and starts Tessera."""
        return self.folder / "work"

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def program(self, name: str) -> Path:
        return self.folder / "env" / "bin" / name

    def variables(self) -> dict[str, str]:
        """No settings of ours; the folder that somebody works in is on the path, the one of a process is not."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TESSERA_", "PYTHON"))}
        return {**kept, "PYTHONSAFEPATH": "1", "PYTHONPATH": str(self.work)}

    def check_names(self) -> None:
        """Whoever imports `app` or `models` gets their own, also after ours was imported."""
        for name in ("app", "models"):
            ran = subprocess.run(
                [self.program("python"), "-c", f"import tessera, {name}"],
                cwd=self.work,
                env={**self.variables(), "PYTHONPATH": ""},
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            assert ran.stderr.rstrip().endswith("the package of somebody else"), ran.stderr

    def compile_once(self) -> None:
        """Import torch here, so that its byte code is there before four processes at once would each compile it."""
        words = [self.program("python"), "-c", "import torch, torchvision"]
        subprocess.run(words, cwd=self.work, env=self.variables(), check=True, timeout=PATIENCE)

    def program_files(self) -> dict[str, int]:
        """Every installed file of ours with its time of change, byte caches aside."""
        root = self.packages / "tessera"
        return {name: (root.parent / name).stat().st_mtime_ns for name in _files(root.parent, root.name)}
