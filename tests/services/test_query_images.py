"""Uploads are kept under their content's name, within bounds, and refused in words."""

import io
import os
import time
from pathlib import Path

import pytest
from PIL import Image

from app.failures import BadQuery, Busy, NotFound, TooLarge, WrongType
from app.services import query_images
from app.services.query_images import UploadsService
from app.settings import Settings
from models.galleries.budget import DecodeBudget


def png(shade: int, size: tuple[int, int] = (300, 280)) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(sink, "PNG")
    return sink.getvalue()


@pytest.fixture
def service(settings: Settings) -> UploadsService:
    return UploadsService(settings, DecodeBudget(64 << 20))


def files(settings: Settings) -> list[Path]:
    return sorted((settings.workspace / "uploads").iterdir())


def test_the_same_file_twice_is_kept_once(service: UploadsService, settings: Settings) -> None:
    name = service.add(png(10))
    assert service.add(png(10)) == name
    assert [path.name for path in files(settings)] == [f"{name}.jpg"]


def test_what_is_kept_is_our_own_jpeg_of_at_most_256_pixels(service: UploadsService) -> None:
    name = service.add(png(10) + b"<script>alert(1)</script>")
    assert b"script" not in service.jpeg(name)
    kept = service.open(name)
    assert min(kept.width, kept.height) == 256 and kept.jpeg.startswith(b"\xff\xd8")


def test_only_so_many_are_kept_and_the_oldest_go_first(
    service: UploadsService, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_images, "KEPT", 3)
    names = []
    for age, shade in enumerate((10, 60, 110, 160, 210)):
        names.append(service.add(png(shade)))
        os.utime(settings.workspace / "uploads" / f"{names[-1]}.jpg", (time.time() - 100 + age,) * 2)
    assert {path.stem for path in files(settings)} == set(names[2:])
    with pytest.raises(NotFound, match="upload the image again"):
        service.jpeg(names[0])


def test_an_upload_asked_for_again_is_young_again(
    service: UploadsService, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = service.add(png(10))
    os.utime(settings.workspace / "uploads" / f"{old}.jpg", (1, 1))
    service.add(png(10))
    monkeypatch.setattr(query_images, "KEPT_SECONDS", 60.0)
    service.add(png(90))
    assert len(files(settings)) == 2


def test_uploads_leave_when_they_are_old(service: UploadsService, settings: Settings) -> None:
    old = service.add(png(10))
    os.utime(settings.workspace / "uploads" / f"{old}.jpg", (1, 1))
    young = service.add(png(90))
    assert [path.stem for path in files(settings)] == [young]


@pytest.mark.parametrize("name", ["", "abc", "../tessera", "0" * 63, "A" * 64, "0" * 64, "0" * 64 + "\n"])
def test_a_name_is_never_a_path(service: UploadsService, name: str) -> None:
    with pytest.raises(NotFound):
        service.jpeg(name)


def test_what_cannot_be_opened_is_refused_and_leaves_nothing(service: UploadsService, settings: Settings) -> None:
    with pytest.raises(BadQuery) as empty:
        service.add(b"")
    assert empty.value.code == "empty_file"
    with pytest.raises(WrongType):
        service.add(b"<svg onload='alert(1)'/>")
    with pytest.raises(BadQuery, match="cut short"):
        service.add(png(5)[:200])
    with pytest.raises(TooLarge):
        service.add(b"\xff" * (20 * 1024 * 1024 + 1))
    assert not (settings.workspace / "uploads").exists()


def test_while_others_take_all_the_memory_for_decoding_one_is_told_to_come_again(settings: Settings) -> None:
    budget = DecodeBudget(1 << 20, patience=0.05)
    service = UploadsService(settings, budget)
    with budget.lend(1 << 20), pytest.raises(Busy, match="try again in a few seconds") as busy:
        service.add(png(10))
    assert (busy.value.status, busy.value.code) == (503, "decoding_busy")
    assert service.add(png(10))
