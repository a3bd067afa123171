"""Free memory is what Linux says is available; where no one says it, half of the machine's."""

import os
from pathlib import Path

import pytest

from models import memory


def test_linux_says_what_is_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = tmp_path / "meminfo"
    facts.write_text("MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:    6000 kB\n")
    monkeypatch.setattr(memory, "FACTS", facts)
    assert memory.free_memory("cpu") == 6000 * 1024
    assert memory.fits(2999 * 1024, "cpu") and not memory.fits(3000 * 1024, "cpu")


def test_elsewhere_half_of_the_memory_is_taken_for_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "FACTS", tmp_path / "none")
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 16384}.__getitem__)
    assert memory.free_memory("cpu") == 500 * 16384


def test_where_nothing_is_known_nothing_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise ValueError(f"unrecognized configuration name: {name}")

    monkeypatch.setattr(memory, "FACTS", tmp_path / "none")
    monkeypatch.setattr(os, "sysconf", unknown)
    assert memory.free_memory("cpu") == 0 and not memory.fits(1, "cpu")
