"""Settings that depend on the machine."""

from pathlib import Path

import pytest

from app.settings import Settings


def test_the_folders_to_import_from_are_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path.parent)
    assert Settings().roots == (tmp_path, tmp_path.parent)


@pytest.mark.parametrize("home", ["none", "/"])
def test_without_a_home_the_whole_disk_is_not_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    if home == "none":
        monkeypatch.setattr(Path, "home", no_home)
    else:
        monkeypatch.setenv("HOME", home)
    monkeypatch.chdir(tmp_path)
    assert Settings().roots == (tmp_path,)
    monkeypatch.chdir("/")
    assert Settings().roots == ()


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")
