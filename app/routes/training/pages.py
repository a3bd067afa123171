"""What two pages show: the wall with the puzzles of all tasks, and the page of one task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.routes.pictures import Picture
from app.routes.queries import address
from app.routes.training.puzzles import TaskParams, TaskParts, picture_path
from app.settings import Settings
from app.web.formats import count
from app.web.frame import PageContext
from models.puzzles import Posed, PuzzlePicture
from models.recipes import RECIPES
from models.recipes.catalogue import SYSTEMS, System

STATE = ("gallery", "row", "upload", "seed")  # the parameters that decide which puzzle is asked
MOST_COLUMNS = 4  # of pictures
NOBODY = ("", "nobody: only the puzzle")


@dataclass(frozen=True)
class Chooser:
    """The photo that puzzles are made of, its address, and the address of the page with another photo."""

    image: Picture | None
    gallery: str  # of the photo; empty for an upload
    href: str
    another: str


@dataclass(frozen=True)
class WallCard:
    """A task on the wall; `sheet` is the address of its puzzle's picture, and if that is empty `note` says why."""

    title: str
    question: str
    href: str
    built: bool
    sheet: str
    alt: str
    note: str
    authors: str
    paper: str
    venue: str
    labels: bool


@dataclass(frozen=True)
class TasksContext(PageContext):
    """The puzzles of all tasks on one photo; `ready`: the process that draws them has been started."""

    template: ClassVar[str] = "tasks.html"
    again: str
    json: str
    chooser: Chooser
    ready: bool
    systems: Sequence[WallCard]


@dataclass(frozen=True)
class Pictures:
    """Pictures as (caption, address), shown in so many columns."""

    columns: int
    found: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Asking:
    """The choices that the viewer has; `listed`: there are many, so they are in a menu. `fields` are sent along."""

    fields: Sequence[tuple[str, object]]
    listed: bool
    choices: Sequence[str]


@dataclass(frozen=True)
class Likely:
    name: str
    right: bool
    probability: float
    words: str


@dataclass(frozen=True)
class NetworkAnswer:
    """What the network answered; `right` is None if the right answer is not known."""

    words: str
    right: bool | None
    likely: Sequence[Likely]
    drawn: Pictures


@dataclass(frozen=True)
class RightAnswer:
    """The right answer: `words` and pictures of the `solution`.

    `said` is the viewer's answer, empty if none was given; `right`: it is the right one. `unknown`: nobody knows the
    right answer.
    """

    said: str
    right: bool
    words: str
    unknown: bool
    solution: Pictures


@dataclass(frozen=True)
class PuzzleView:
    """A puzzle: what is shown, then either the question to the viewer (`asking`) or the answers to it."""

    question: str
    note: str
    shown: Pictures
    asking: Asking | None
    next: str
    answer: RightAnswer | None
    network: NetworkAnswer | None
    hidden: bool  # a network has answered, and the viewer has not yet


@dataclass(frozen=True)
class ScoreView:
    """How many puzzles the viewer and the network solved; `network` is None if no network answers."""

    puzzles: str
    viewer: int
    network: int | None
    chance: str
    again: str  # the address that begins anew; empty where nothing was counted


@dataclass(frozen=True)
class TaskContext(PageContext):
    """The page of a task, with a puzzle of one photo; `puzzle` is None if there is no photo.

    `fields` are the parameters that forms send along; `solve`: the viewer is asked first; `modes` are links to the page
    with and without that. `train` leads to the form that trains on this task.
    """

    template: ClassVar[str] = "task.html"
    title: str
    lead: str
    paper: str
    train: str
    json: str
    here: str
    chooser: Chooser
    fields: Sequence[tuple[str, object]]
    solve: bool
    solvers: Sequence[tuple[str, str]]  # who may answer, nobody first
    unsolved: bool  # no network was trained on the task yet
    checkpoint: str
    modes: Sequence[tuple[str, str, bool]]
    puzzle: PuzzleView | None
    score: ScoreView | None


def tasks_context(params: TaskParams, image: Picture | None, settings: Settings, *, ready: bool) -> TasksContext:
    """The page with the puzzles of all tasks."""
    return TasksContext(
        again=settings.url(address("/tasks", params, {"seed": params.seed + 1})),
        json=settings.url(address("/api/tasks", params, {})),
        chooser=_chooser(params, image, "/tasks", settings),
        ready=ready,
        systems=[_wall_card(system, params, image, settings, ready=ready) for system in SYSTEMS],
    )


def _chooser(params: TaskParams, image: Picture | None, here: str, settings: Settings) -> Chooser:
    gallery, url = params.gallery or "", settings.url
    named = bool(gallery) and params.row is not None and not params.upload
    another = {"row": None, "upload": None, "seed": params.seed + 1, "choice": None}
    return Chooser(
        image=image,
        gallery=gallery if named else "",
        href=url(f"/galleries/{gallery}/images/{params.row}") if named else "",
        another=url(address(here, params, another)) if gallery else "",
    )


def _wall_card(
    system: System, params: TaskParams, image: Picture | None, settings: Settings, *, ready: bool
) -> WallCard:
    built = system.name in RECIPES
    return WallCard(
        title=system.title,
        question=system.question,
        href=settings.url(address(f"/tasks/{system.name}", params, {})),
        built=built,
        sheet=settings.url(address(f"/api/tasks/{system.name}/sheet.png", params, {}))
        if built and image and ready
        else "",
        alt=f"What {system.title} shows the network of this photo",
        note=_wall_note(system, built=built, image=image is not None),
        authors=system.authors,
        paper=system.link,
        venue=system.venue,
        labels=system.needs == "labels",
    )


def _wall_note(system: System, *, built: bool, image: bool) -> str:
    """Why a task has no picture."""
    if not built:
        return "Not built here: it learns from video." if system.needs == "video" else "Not built yet."
    if not image:
        return "Choose a photo to see its puzzle."
    return "What draws it is being started: it appears here in a few seconds."


def task_context(parts: TaskParts) -> TaskContext:
    """The page of one task."""
    system, params, url = parts.system, parts.params, parts.settings.url
    return TaskContext(
        title=system.title,
        lead=f"{system.authors}, {system.venue}",
        paper=system.link,
        train=url(f"/jobs?task={system.name}#train"),
        json=url(address(f"/api{parts.here}", params, {})),
        here=url(parts.here),
        chooser=_chooser(params, parts.image, parts.here, parts.settings),
        fields=_fields(params, STATE),
        solve=params.solve,
        solvers=[NOBODY, *parts.solvers],
        unsolved=not parts.solvers,
        checkpoint=params.checkpoint or "",
        modes=_modes(parts) if parts.can_solve else [],
        puzzle=None if parts.posed is None else _puzzle(parts, parts.posed),
        score=_score(parts) if params.solve else None,
    )


def _fields(params: TaskParams, names: Sequence[str]) -> list[tuple[str, object]]:
    """The parameters of the address that a form sends along."""
    return [(name, getattr(params, name)) for name in names if getattr(params, name) is not None]


def _modes(parts: TaskParts) -> list[tuple[str, str, bool]]:
    here, params, url = parts.here, parts.params, parts.settings.url
    show = address(here, params, {"solve": None, "choice": None, "score": None})
    solve = address(here, params, {"solve": True, "choice": None})
    return [("Show the answer", url(show), not params.solve), ("You solve it", url(solve), params.solve)]


def _puzzle(parts: TaskParts, posed: Posed) -> PuzzleView:
    puzzle, params = posed.puzzle, parts.params
    return PuzzleView(
        question=puzzle.question,
        note="what the network sees" if params.checkpoint else "what a network sees",
        shown=_pictures(parts, posed, "shown", puzzle.shown),
        asking=None if parts.open else _asking(parts, posed),
        next=f"{parts.settings.url(parts.next)}#puzzle",
        answer=_right_answer(parts, posed) if parts.open else None,
        network=_network_answer(parts, posed) if parts.open else None,
        hidden=not parts.open and params.checkpoint is not None,
    )


def _pictures(parts: TaskParts, posed: Posed, part: str, drawn: Sequence[PuzzlePicture]) -> Pictures:
    found = [(item.caption, _picture(parts, part, place)) for place, item in enumerate(drawn)]
    return Pictures(min(posed.puzzle.columns, MOST_COLUMNS), found)


def _picture(parts: TaskParts, part: str, place: int) -> str:
    path = picture_path(parts.system.name, parts.params, "picture.png", f"part={part}&place={place}")
    return parts.settings.url(path)


def _asking(parts: TaskParts, posed: Posed) -> Asking:
    fields = [*_fields(parts.params, (*STATE, "checkpoint", "score")), ("solve", 1)]
    return Asking(fields, parts.listed, posed.puzzle.choices)


def _right_answer(parts: TaskParts, posed: Posed) -> RightAnswer:
    puzzle, choice = posed.puzzle, parts.params.choice
    known = puzzle.right is not None
    said = choice if parts.params.solve and known and choice is not None and choice < len(puzzle.choices) else None
    return RightAnswer(
        said="" if said is None else puzzle.choices[said],
        right=said is not None and said == puzzle.right,
        words="" if puzzle.right is None else puzzle.choices[puzzle.right],
        unknown=not known and bool(puzzle.choices),
        solution=_pictures(parts, posed, "solution", puzzle.solution),
    )


def _network_answer(parts: TaskParts, posed: Posed) -> NetworkAnswer | None:
    answer, right = posed.answer, posed.puzzle.right
    if answer is None:
        return None
    return NetworkAnswer(
        words=f"{answer.words[0].upper()}{answer.words[1:]}.",
        right=None if right is None else answer.choice == right,
        likely=[Likely(name, place == right, share, f"{share:.2f}") for place, name, share in parts.likely],
        drawn=_pictures(parts, posed, "answer", answer.drawn),
    )


def _score(parts: TaskParts) -> ScoreView:
    score, params = parts.score, parts.params
    again = parts.settings.url(address(parts.here, params, {"score": None, "choice": None}))
    return ScoreView(
        puzzles=count(score.puzzles, "puzzle"),
        viewer=score.viewer,
        network=score.network if params.checkpoint else None,
        chance=f"{score.chance:.1f}",
        again=again if score.puzzles else "",
    )
