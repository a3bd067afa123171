"""What is truly in an image, asked over the web; a gallery of scenes that grows while it is drawn."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.jobs.context import JobContext
from app.jobs.devices import CPU
from app.jobs.events import EVENTS
from app.jobs.kinds import import_images
from app.jobs.running import Running
from app.jobs.spec import JobSpec
from app.jobs.tail import Tail
from app.services.jobs.submissions.import_images import CountablesFrom, FolderFrom, NewGallery
from app.services.services import Services
from app.settings import Settings
from models.countables.truth import count
from models.galleries.packs import Pack
from tests.conftest import Client, application
from tests.making import run_jobs, write_photos

SCENES = 10


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A gallery of ten scenes, and one of photos that nobody marked."""
    place = tmp_path_factory.mktemp("truth")
    app = application(Settings(workspace=place / "workspace", roots=(place,)))
    services: Services = app.state.services
    scenes = CountablesFrom(kind="countables", scenes=SCENES, sweeps=False)
    services.galleries.create(NewGallery(name="scenes", source=scenes))
    photos = FolderFrom(kind="folder", path=str(write_photos(place / "photos", 2)))
    services.galleries.create(NewGallery(name="photos", source=photos))
    run_jobs(services)
    return Client(app)


def truth(client: Client, row: int, query: str = "") -> dict[str, Any]:
    answer = client.get(f"/api/galleries/scenes/images/{row}/truth{query}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def pack(client: Client) -> Pack:
    services: Services = client.app.state.services
    return services.galleries.pack("scenes")


def full_row(client: Client) -> int:
    """The scene with most objects."""
    scenes = pack(client).scenes()
    return max(range(len(scenes)), key=lambda row: (scenes[row] or {})["number"])


def test_the_answer_for_a_box_is_the_count_of_the_stored_truth(client: Client) -> None:
    for row in range(SCENES):
        stored = pack(client).truth(row)
        assert stored is not None
        for box in ((0, 0, 256, 256), (10, 20, 130.5, 200)):
            answer = truth(client, row, f"?box={','.join(map(str, box))}")
            counted = count(stored, box)
            assert answer["present"] == counted.present
            assert answer["fractional"] == {kind: float(n) for kind, n in counted.fractional.items()}
        assert answer["objects"] == stored["objects"]
        assert answer["scene"] == pack(client).scene(row)


def test_the_tiles_of_any_two_lines_add_up_to_the_whole(client: Client) -> None:
    row = full_row(client)
    for lines in ("128,128", "31,200", "0,256", "-5,999"):
        answer = truth(client, row, f"?lines={lines}&objects=false")
        assert "objects" not in answer
        for kind, whole in answer["fractional"].items():
            assert sum(tile["fractional"][kind] for tile in answer["tiles"]) == pytest.approx(whole, abs=1e-9)
    assert answer["lines"] == [0, 256]  # kept within the image


def test_the_packs_counts_are_what_is_present(client: Client) -> None:
    for row in range(SCENES):
        assert pack(client).row(row).counts == truth(client, row)["present"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("photos/images/0/truth", 404, "no_truth"),
        ("nowhere/images/0/truth", 404, "unknown_gallery"),
        ("scenes/images/99/truth", 404, "unknown_row"),
        ("scenes/images/0/truth?box=1,2,3", 422, "bad_box"),
        ("scenes/images/0/truth?lines=1", 422, "bad_lines"),
        ("scenes/images/0/truth?lines=nan,3", 422, "bad_lines"),
    ],
)
def test_refusals_say_why(client: Client, path: str, status: int, code: str) -> None:
    answer = client.get(f"/api/galleries/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_page_is_complete_without_javascript(client: Client) -> None:
    row = full_row(client)
    page = client.get(f"/galleries/scenes/images/{row}?lines=100,140&label=several%20kinds").text
    answer = truth(client, row, "?lines=100,140")
    for kind, whole in answer["present"].items():
        assert f'data-count="present {kind} 0">{whole}</td>' in page
        assert f'data-count="present {kind} 3">{answer["tiles"][2]["present"][kind]}</td>' in page.replace(" zero", "")
    assert page.count('<path class="truth-object"') == sum(thing["visible"] > 0 for thing in answer["objects"])
    assert 'value="100,140"' in page
    assert '<input type="hidden" name="label" value="several kinds">' in page
    assert str(answer["scene"]["seed"]) in page
    assert "truth-grid" not in client.get("/galleries/photos/images/0").text
    assert client.get(f"/galleries/scenes/images/{row}?lines=x").status_code == 422


def test_the_form_draws_a_gallery(client: Client) -> None:
    fields = {"kind": "countables", "name": "six", "scenes": "6", "sweeps": "false", "split": "test", "seed": "3"}
    answer: httpx.Response = client.post("/galleries", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/galleries/six")
    run_jobs(client.app.state.services)
    assert "6 images: generated scenes whose every object is known" in client.get("/galleries/six").text
    nothing = client.post("/galleries", data={**fields, "name": "none", "scenes": "0"})
    assert nothing.status_code == 422


class Ongoing:
    """An attempt that has not ended."""

    pid = None

    def status(self) -> int | None:
        return None

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


def test_the_first_scenes_are_there_while_the_rest_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_images, "FIRST_ROWS", 4)
    services: Services = application(Settings(workspace=tmp_path)).state.services
    wanted = CountablesFrom(kind="countables", scenes=10, sweeps=False)
    submitted = services.galleries.create(NewGallery(name="scenes", source=wanted))
    job, folder = submitted.job, tmp_path / "jobs" / str(submitted.job.id)
    folder.mkdir(parents=True, exist_ok=True)
    JobSpec(str(job.id), job.kind, str(tmp_path), job.spec, job.inputs, job.output, "cpu", 1).write(folder)

    running = Running(job, CPU, Ongoing(), Tail(folder))
    grew: list[int] = []

    class Watched(JobContext):
        def grown(self) -> None:
            super().grown()
            running.read()
            running.publish(services.store)
            grew.append(services.galleries.get("scenes").rows)

    import_images.run(Watched.open(folder))
    assert grew == [4, 10]
    events = [json.loads(line)["type"] for line in (folder / EVENTS).read_text().splitlines()]
    assert events.index("grown") < events.index("artefact")
    assert len(services.galleries.pack("scenes").shards) == 2
    services.store.close()
