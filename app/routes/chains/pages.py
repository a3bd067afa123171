"""The pages of knowledge transfer: the form with the chains that were started, and one chain."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from app.services.services import Services
from app.web.templating import page
from models.descriptors import DESCRIPTORS
from models.random_init import NAME as UNTRAINED
from models.recipes import RECIPES
from models.recipes.cluster_classification import STUDENTS

TEACHER = "teacher"  # the recipe of a strong network
MOST = 100  # of each kind that the form offers
LABELLED = ("supervised", "cluster_classification")  # tasks that need more than photos, so no beginning of a chain


def show_form(request: Request, services: Services, *, begin: str | None, cursor: str | None) -> HTMLResponse:
    """The form, filled in as far as the address says, and the chains."""
    known = [item.slug for item in services.checkpoints.list(limit=MOST).checkpoints]
    named = [(f"checkpoint:{name}", kind.title + ", no weights") for name, kind in DESCRIPTORS.items()]
    named += [(f"checkpoint:{slug}", "random init, the untrained control") for slug in known if slug == UNTRAINED]
    begins = {
        "Train a pretext task": [(f"pretrain:{task}", task) for task in RECIPES if task not in LABELLED],
        "Nothing learned: controls": named,
        "A checkpoint": [(f"checkpoint:{slug}", slug) for slug in known if slug not in (*DESCRIPTORS, UNTRAINED)],
        "A scan": [(f"scan:{item.slug}", item.slug) for item in services.scans.list(limit=MOST).scans],
        "Clusters": [(f"clustering:{i.slug}", i.slug) for i in services.clusterings.list(limit=MOST).clusterings],
    }
    return page(
        request,
        "transfer.html",
        begins=begins,
        begin=begin,
        galleries=[(item.slug, item.name) for item in services.galleries.list(limit=MOST).galleries if item.rows],
        students=STUDENTS,
        recipes=list(RECIPES["cluster_classification"]),
        pretext_recipes=[("small", "small"), ("paper", "paper"), *own_recipes()],
        can_probe=services.jobs.knows("probe"),
        found=services.chains.list(cursor=cursor),
        first=cursor is None,
    )


def own_recipes() -> list[tuple[str, str]]:
    """Recipes of a single task that make a teacher, with the task's name."""
    return [(TEACHER, f"{TEACHER} (of {task})") for task, recipes in RECIPES.items() if TEACHER in recipes]


def show_chain(request: Request, services: Services, chain: str) -> HTMLResponse:
    """One chain as its pipeline, every box a link."""
    return page(request, "chain.html", chain=services.chains.get(chain))
