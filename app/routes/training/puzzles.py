"""What the page of a task is about: the puzzle of one image, the answers to it, and the scores of who solves it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from app.deps import MAX_ID
from app.failures import BadQuery, NotFound
from app.routes.pictures import Picture, gallery_picture, upload_picture
from app.routes.queries import Blank, ImageParams, Name, address
from app.services.services import Services
from app.services.training.puzzles import PuzzleRequest
from app.settings import Settings
from models.puzzles import Posed
from models.recipes import RECIPES
from models.recipes.catalogue import System, system

MOST_CHOICES = 12  # so many stand side by side; more are in a menu
LIKELY = 5  # so many choices of a menu are shown with their probabilities
Choice = Annotated[int | None, Field(ge=0, le=MAX_ID), Blank]


class TaskParams(ImageParams):
    """All parameters of a puzzle: the image, the random draw of its views, who answers, and the scores so far.

    With `solve=1` the viewer is asked first and answers with `choice`. `score` has four numbers between commas: puzzles
    asked, solved by the viewer, solved by the network, and solved by guessing on average.
    """

    gallery: Name = None
    checkpoint: Name = None
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    solve: bool = False
    choice: Choice = None
    score: Name = None

    @property
    def asked(self) -> PuzzleRequest:
        return PuzzleRequest(self.gallery, self.row, self.upload, self.seed, self.checkpoint)

    @property
    def has_image(self) -> bool:
        return self.upload is not None or (self.gallery is not None and self.row is not None)


@dataclass(frozen=True)
class PuzzleScore:
    """How many puzzles were asked, and how many the viewer, the network and, on average, guessing solved."""

    puzzles: int = 0
    viewer: int = 0
    network: int = 0
    chance: float = 0.0

    @classmethod
    def read(cls, text: str | None) -> "PuzzleScore":
        """The scores in an address; zeros without any. Raises BadQuery."""
        if text is None:
            return cls()
        parts = text.split(",")
        try:
            puzzles, viewer, network = (int(part) for part in parts[:3])
            chance = float(parts[3])
        except (ValueError, IndexError):
            raise BadQuery("bad_score", "`score` is puzzles, viewer, network, chance: 4,3,2,1.0.") from None
        most, least = max(viewer, network, chance), min(viewer, network, chance)
        if len(parts) != 4 or not (0 <= least <= most <= puzzles <= 100_000) or chance != chance:
            raise BadQuery("bad_score", "`score` counts no more right answers than puzzles.")
        return cls(puzzles, viewer, network, chance)

    def after(self, *, viewer: bool, network: bool, choices: int) -> "PuzzleScore":
        """The scores with one more puzzle of so many choices."""
        return PuzzleScore(
            self.puzzles + 1, self.viewer + viewer, self.network + network, round(self.chance + 1 / choices, 4)
        )

    def __str__(self) -> str:
        return f"{self.puzzles},{self.viewer},{self.network},{self.chance:g}"


@dataclass(frozen=True)
class TaskParts:
    """A task and the puzzle that `params` ask for. `image` is the photo, None if there is none.

    `solvers` are the (slug, name) of checkpoints that can answer, `next` is the path of the page with the next puzzle.
    """

    system: System
    params: TaskParams
    posed: Posed | None  # None where there is no image yet
    image: Picture | None
    solvers: Sequence[tuple[str, str]]
    score: PuzzleScore
    next: str
    settings: Settings

    @property
    def here(self) -> str:
        return f"/tasks/{self.system.name}"

    @property
    def open(self) -> bool:
        """Whether the right answer is shown: the viewer has answered, or was not asked."""
        return not self.params.solve or self.params.choice is not None

    @property
    def can_solve(self) -> bool:
        return self.posed is not None and bool(self.posed.puzzle.choices) and self.posed.puzzle.right is not None

    @property
    def listed(self) -> bool:
        return self.posed is not None and len(self.posed.puzzle.choices) > MOST_CHOICES

    def picture(self, part: str, place: int) -> str:
        """The address of one picture of a part of the puzzle."""
        return self.settings.url(
            picture_path(self.system.name, self.params, "picture.png", f"part={part}&place={place}")
        )

    @property
    def likely(self) -> list[tuple[int, str, float]]:
        """The choices with the network's probabilities: (number, name, probability).

        All of them if they are few, else the most probable ones and the right one.
        """
        if self.posed is None or self.posed.answer is None or not self.posed.answer.probabilities:
            return []
        puzzle, told = self.posed.puzzle, self.posed.answer.probabilities
        rows = [(place, name, told[place]) for place, name in enumerate(puzzle.choices)]
        if not self.listed:
            return rows
        best = sorted(rows, key=lambda row: -row[2])[:LIKELY]
        return best + [row for row in rows if row[0] == puzzle.right and row not in best]

    def shape(self) -> dict[str, object]:
        """The page as JSON."""
        answer = self.posed.answer if self.posed is not None else None
        return {
            "task": self.system.name,
            "question": self.posed.puzzle.question if self.posed else self.system.question,
            "shown": self._drawn("shown"),
            "choices": list(self.posed.puzzle.choices) if self.posed else [],
            "right": self.posed.puzzle.right if self.posed and self.open else None,
            "solution": self._drawn("solution") if self.open else [],
            "answer": None
            if answer is None or not self.open
            else {
                "choice": answer.choice,
                "probabilities": list(answer.probabilities),
                "words": answer.words,
                "drawn": self._drawn("answer"),
            },
            "score": {"puzzles": self.score.puzzles, "viewer": self.score.viewer, "network": self.score.network}
            | {"chance": self.score.chance},
            "links": {
                "page": self.settings.url(address(self.here, self.params, {})),
                "next": self.settings.url(f"/api{self.next}"),
            },
        }

    def _drawn(self, part: str) -> list[dict[str, str]]:
        if self.posed is None:
            return []
        answer = self.posed.answer.drawn if self.posed.answer is not None else ()
        found = {"shown": self.posed.puzzle.shown, "solution": self.posed.puzzle.solution, "answer": answer}[part]
        return [{"caption": item.caption, "picture": self.picture(part, n)} for n, item in enumerate(found)]


def open_task(services: Services, settings: Settings, task: str, params: TaskParams) -> TaskParts:
    """What the page of a task is about. Raises NotFound for an unknown task, and what posing a puzzle raises."""
    known = system(task)
    if known is None or task not in RECIPES:
        raise NotFound("unknown_task", f"There is no task {task[:40]!r} here; there are {', '.join(RECIPES)}.")
    params = with_image(services, params)
    posed = services.puzzles.pose(task, params.asked) if params.has_image else None
    score = PuzzleScore.read(params.score)
    if posed is not None and params.solve and params.choice is not None and posed.puzzle.right is not None:
        score = score.after(
            viewer=params.choice == posed.puzzle.right,
            network=posed.answer is not None and posed.answer.choice == posed.puzzle.right,
            choices=len(posed.puzzle.choices),
        )
    return TaskParts(
        system=known,
        params=params,
        posed=posed,
        image=image_of(services, settings, params),
        solvers=[(record.slug, record.name) for record in services.puzzles.solvers(task)],
        score=score,
        next=address(f"/tasks/{task}", params, _next(services, params, score)),
        settings=settings,
    )


def with_image(services: Services, params: TaskParams) -> TaskParams:
    """The parameters with an image; if they name none, a colourful one of the newest gallery, chosen by the seed."""
    if params.has_image:
        return params
    gallery = params.gallery or next((item.slug for item in services.galleries.filled()), None)
    if gallery is None:
        return params
    row = services.puzzles.photo(gallery, params.seed) if params.row is None else params.row
    return params.model_copy(update={"gallery": gallery, "row": row})


def image_of(services: Services, settings: Settings, params: TaskParams) -> Picture | None:
    """The photo that the parameters name; None if they name none."""
    if params.upload is not None:
        return upload_picture(services, settings, params.upload)
    if params.gallery is None or params.row is None:
        return None
    services.galleries.image(params.gallery, params.row)  # raises NotFound for a row that is not there
    return gallery_picture(settings, params.gallery, services.galleries.pack(params.gallery), params.row)


def picture_path(task: str, params: TaskParams, name: str, more: str = "") -> str:
    """The path of a picture of a puzzle, without the parameters that do not change it."""
    left = dict.fromkeys(("solve", "choice", "score"))
    path = address(f"/api/tasks/{task}/{name}", params, left)
    return f"{path}{'&' if '?' in path else '?'}{more}" if more else path


def _next(services: Services, params: TaskParams, score: PuzzleScore) -> Mapping[str, object]:
    """The changes to the parameters that lead to the next puzzle: another image of the gallery, another draw."""
    seed = params.seed + 1
    row = params.row
    if params.upload is None and params.gallery is not None:
        row = services.puzzles.photo(params.gallery, seed)
    return {"seed": seed, "row": row, "choice": None, "score": str(score) if score.puzzles else None}
