"""The wall of puzzles and the page of one: drawn by the predictor, the same for the same address, to be solved too."""

import re
from io import BytesIO

import httpx
import numpy as np
import pytest
from PIL import Image

from app.failures import BadQuery
from app.predictor.client import Predictor
from app.routes.training.task_page import PuzzleScore
from app.services.training.puzzles import GAP, sheet
from models.puzzles import PuzzlePicture
from models.recipes import RECIPES
from models.recipes.catalogue import SYSTEMS
from models.tasks import TASKS
from tests.conftest import Server

PAGE = {"accept": "text/html"}


def test_every_task_is_in_the_fields_table_with_the_paper_that_its_module_cites() -> None:
    cited = {system.name: system.link for system in SYSTEMS}
    assert {name: task.paper for name, task in TASKS.items()} == {name: cited[name] for name in TASKS}


def test_the_wall_draws_what_is_built_and_names_what_is_not(web: httpx.Client, predictor: None) -> None:  # noqa: ARG001
    page = web.get("/tasks?row=3&gallery=photos", headers=PAGE).text
    assert page.count("puzzle-card") == len(SYSTEMS)
    assert page.count("sheet.png") == len(RECIPES) and "data-every" not in page
    assert "it learns from video" in page
    told = web.get("/api/tasks?row=3&gallery=photos").json()["tasks"]
    assert [task["name"] for task in told if task["built"]] == [
        system.name for system in SYSTEMS if system.name in RECIPES
    ]
    for task in told:
        if task["built"]:
            answer = web.get(task["sheet"])
            assert answer.status_code == 200 and answer.content == web.get(task["sheet"]).content
            Image.open(BytesIO(answer.content)).load()


def test_while_the_predictor_starts_the_wall_waits_and_a_puzzle_comes_back(
    web: httpx.Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.services.puzzles, "_predictor", Predictor(server.services.settings))
    page = web.get("/tasks?row=3&gallery=photos", headers=PAGE).text
    assert "sheet.png" not in page and page.count("is being started") == len(RECIPES)
    assert 'data-every="1500"' in page and "live-part.js" in page
    puzzle = web.get("/tasks/rotation?row=3&gallery=photos&seed=77", headers=PAGE)
    assert puzzle.status_code == 503 and 'http-equiv="refresh"' in puzzle.text


def test_a_checkpoint_answers_and_the_viewer_may_answer_first(
    web: httpx.Client,
    server: Server,
    predictor: None,  # noqa: ARG001
) -> None:
    here = f"/tasks/counting?gallery=photos&row=3&seed=1&checkpoint={server.workspace.checkpoint}"
    told = web.get(f"/api{here}").json()
    assert told["choices"] == ["the left one", "the right one"] and told["right"] == 1
    assert sum(told["answer"]["probabilities"]) == pytest.approx(1)
    assert len(told["shown"]) == 6 and web.get(told["shown"][5]["picture"]).status_code == 200
    waiting = web.get(f"/api{here}&solve=1").json()
    assert waiting["right"] is None and waiting["answer"] is None
    page = web.get(f"{here}&solve=1", headers=PAGE).text
    assert len(re.findall(r'name="choice" value="[01]"', page)) == 2 and "The right answer" not in page
    solved = web.get(f"/api{here}&solve=1&choice=1&score=2,1,1,1.0").json()
    right = solved["answer"]["choice"] == 1
    assert solved["score"] == {"puzzles": 3, "viewer": 2, "network": 1 + right, "chance": 1.5}
    assert f"score=3,2,{1 + right},1.5" in solved["links"]["next"] and "choice" not in solved["links"]["next"]


def test_what_cannot_be_asked_is_said(web: httpx.Client, server: Server) -> None:
    assert web.get("/tasks/juggling", headers=PAGE).status_code == 404
    assert web.get("/api/tasks/counting?gallery=photos&row=99999").status_code == 404
    other = web.get(f"/api/tasks/rotation?gallery=photos&row=1&checkpoint={server.workspace.checkpoint}")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "other_task")


def test_a_photo_of_ones_own_is_taken(web: httpx.Client, server: Server) -> None:
    photo = next(server.workspace.photos.rglob("*.jpg")).read_bytes()
    answer = web.post("/tasks", files={"file": ("own.jpg", photo)}, headers=PAGE)
    assert answer.status_code == 303
    assert "your image" in web.get(answer.headers["location"], headers=PAGE).text


@pytest.mark.parametrize("text", ["", "1", "1,2,0,0", "a,b,c,d", "3,1,-1,1", "1,1,1,1,1", "1,0,0,nan"])
def test_a_score_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        PuzzleScore.read(text)


def test_pictures_of_a_sheet_stand_in_their_columns() -> None:
    red = np.zeros((4, 6, 3), dtype=np.uint8)
    red[..., 0] = 255
    found = np.asarray(Image.open(BytesIO(sheet([PuzzlePicture("a", red)] * 3, 2))))
    assert found.shape == (4 + GAP + 4, 6 + GAP + 6, 4)
    assert found[4 + GAP, 0].tolist() == [255, 0, 0, 255]
    assert found[4 + GAP, 6 + GAP, 3] == 0  # nothing stands there
