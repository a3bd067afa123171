"""Which photo a puzzle is posed on where nobody chose one."""

import io
from pathlib import Path

import pytest
from PIL import Image

from app.services.training.puzzles import colourfulness
from tests.conftest import Client
from tests.making import run_jobs


def encoded(colour: tuple[int, int, int]) -> Image.Image:
    """Half of it black, half of that colour."""
    picture = Image.new("RGB", (64, 64))
    picture.paste(colour, (0, 0, 32, 64))
    return picture


def test_gray_has_no_colours_and_red_has_the_spread_of_its_opponents() -> None:
    def of(colour: tuple[int, int, int]) -> float:
        buffer = io.BytesIO()
        encoded(colour).save(buffer, "PNG")
        return colourfulness(buffer.getvalue())

    assert of((200, 200, 200)) == 0
    # half 0 and half 200: deviations of 100 (red less green) and 50 (yellow less blue)
    assert of((200, 0, 0)) == pytest.approx((100**2 + 50**2) ** 0.5)


def test_of_several_photos_the_most_colourful_is_taken(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "walls"
    folder.mkdir()
    for number in range(5):
        encoded((200, 30, 30) if number == 3 else (150, 150, 150 + number)).save(folder / f"{number}.png")
    client.post("/api/galleries", json={"name": "Walls", "source": {"kind": "folder", "path": str(folder)}})
    services = client.app.state.services
    run_jobs(services)
    assert services.galleries.image("walls", 3).path.endswith("3.png")
    assert {services.puzzles.photo("walls", seed) for seed in range(5)} == {3}
