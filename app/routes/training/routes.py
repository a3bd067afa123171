"""Addresses of pretext tasks: the wall of all puzzles on one image, and one task's puzzle with its answers."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.deps import CountImageDep, ServicesDep, SettingsDep
from app.failures import NotFound
from app.routes.queries import address
from app.routes.training.pages import task_context, tasks_context
from app.routes.training.puzzles import TaskParams, open_task, picture_path, with_image
from app.routes.training.puzzles import image_of as image
from app.services.services import Services
from app.services.training.puzzles import png, sheet
from app.settings import Settings
from app.web.responses import Json, answers
from app.web.templating import page
from models.puzzles import PuzzlePicture
from models.recipes import RECIPES
from models.recipes.catalogue import SYSTEMS, System

router = APIRouter()

Params = Annotated[TaskParams, Query()]
Part = Annotated[Literal["shown", "solution", "answer"], Query()]
Place = Annotated[int, Query(ge=0, le=1000)]
CACHED = {"Cache-Control": "private, max-age=3600"}


@router.get("/tasks", include_in_schema=False)
def tasks_page(request: Request, params: Params, services: ServicesDep, settings: SettingsDep) -> HTMLResponse:
    params = with_image(services, params)
    shown = image(services, settings, params)
    return page(request, tasks_context(params, shown, settings, ready=services.puzzles.ready))


@router.post("/tasks", include_in_schema=False)
def own_photo(image: CountImageDep, services: ServicesDep, settings: SettingsDep) -> RedirectResponse:
    """Keep a visitor's photo and lead to all puzzles on it."""
    return RedirectResponse(settings.url(f"/tasks?upload={services.uploads.add(image.data or b'')}"), status_code=303)


@router.get("/api/tasks")
def tasks(params: Params, services: ServicesDep, settings: SettingsDep) -> Json:
    """All pretext tasks, built here or not; with an image, each that is built has its puzzle's picture."""
    chosen = with_image(services, params)
    return Json({"tasks": [_task(system, chosen, settings) for system in SYSTEMS], "built": list(RECIPES)})


@router.get("/tasks/{task}", include_in_schema=False)
def task_page(
    request: Request, task: str, params: Params, services: ServicesDep, settings: SettingsDep
) -> HTMLResponse:
    return page(request, task_context(open_task(services, settings, task, params)))


@router.get("/api/tasks/{task}")
def task_json(task: str, params: Params, services: ServicesDep, settings: SettingsDep) -> Json:
    """A task's puzzle on an image: what is shown, the right answer, and with `checkpoint` that network's answer."""
    return Json(open_task(services, settings, task, params).shape())


@router.get("/api/tasks/{task}/sheet.png", response_class=Response, responses=answers("image/png"))
def task_sheet(task: str, params: Params, services: ServicesDep) -> Response:
    """All that the network sees of a puzzle, as one picture."""
    posed = services.puzzles.pose(task, with_image(services, params).asked)
    return Response(sheet(posed.puzzle.shown, posed.puzzle.columns), media_type="image/png", headers=CACHED)


@router.get("/api/tasks/{task}/picture.png", response_class=Response, responses=answers("image/png"))
def task_picture(task: str, params: Params, services: ServicesDep, part: Part = "shown", place: Place = 0) -> Response:
    """One picture of what is shown, of the right answer, or of the network's answer."""
    found = _pictures(services, task, params, part)
    if place >= len(found):
        raise NotFound("unknown_picture", f"There are {len(found)} pictures of the {part}.")
    return Response(png(found[place].pixels), media_type="image/png", headers=CACHED)


def _pictures(services: Services, task: str, params: TaskParams, part: str) -> tuple[PuzzlePicture, ...]:
    posed = services.puzzles.pose(task, with_image(services, params).asked)
    if part == "answer":
        return () if posed.answer is None else posed.answer.drawn
    return posed.puzzle.shown if part == "shown" else posed.puzzle.solution


def _task(system: System, params: TaskParams, settings: Settings) -> dict[str, object]:
    built = system.name in RECIPES
    found: dict[str, object] = {
        "name": system.name,
        "title": system.title,
        "question": system.question,
        "paper": {"authors": system.authors, "venue": system.venue, "link": system.link},
        "needs": system.needs,
        "built": built,
    }
    if built:
        here = address(f"/api/tasks/{system.name}", params, {})
        found["links"] = {"self": settings.url(here), "page": settings.url(here.removeprefix("/api"))}
        if params.has_image:
            found["sheet"] = settings.url(picture_path(system.name, params, "sheet.png"))
    return found
