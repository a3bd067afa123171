"""What tests of the galleries' API share: pictures, a folder of pets, and shorthands for requests."""

import io
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from tests.conftest import Client
from tests.making import run_jobs


def picture(number: int = 0, kind: str = "PNG", **options: Any) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (40, 30), (number % 256, 90, 30)).save(sink, kind, **options)
    return sink.getvalue()


def write_pets(root: Path) -> Path:
    """Twelve photos: cats and dogs, train and test."""
    for number in range(12):
        split, label = ("test" if number % 3 == 0 else "train"), ("cat" if number % 2 else "dog")
        path = root / split / label / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    return root


def new(name: str, path: Path | str, **more: object) -> dict[str, Any]:
    return {"name": name, "source": {"kind": "folder", "path": str(path), **more}}


def imported(client: Client, body: dict[str, Any]) -> str:
    answer = client.post("/api/galleries", json=body)
    assert answer.status_code == 202, answer.text
    run_jobs(client.app.state.services)
    slug: str = answer.json()["gallery"]["slug"]
    return slug


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def all_images(client: Client, slug: str, **query: str) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        params = {"limit": "5", **query, **({"cursor": cursor} if cursor else {})}
        answer = client.get(f"/api/galleries/{slug}/images", params=params).json()
        found += answer["images"]
        cursor = answer["next"]
        if cursor is None:
            return found
