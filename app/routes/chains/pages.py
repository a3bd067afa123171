"""The pages of knowledge transfer: the form with the chains started so far, one chain, and the fields of the form."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from app.failures import BadQuery
from app.routes.chains.contexts import TransferForm, chain_context, transfer_context
from app.services.services import Services
from app.web.templating import page
from models.descriptors import DESCRIPTORS
from models.random_init import NAME as UNTRAINED
from models.recipes import RECIPES
from models.recipes.cluster_classification import STUDENTS

TEACHER = "teacher"  # name of the recipe that trains a stronger network for knowledge transfer
METHODS = (("kmeans", "k-means"), ("random", "random (control)"))
BEGINS = ("pretrain", "checkpoint", "scan", "clustering")
LABELLED = ("supervised", "cluster_classification")  # tasks that need labels, so that no chain begins with them


def show_form(request: Request, services: Services, *, begin: str | None, cursor: str | None) -> HTMLResponse:
    """The page with the form and the chains; `begin`, such as `scan:SLUG`, is chosen in the form."""
    found = services.chains.list(cursor=cursor)
    return page(request, transfer_context(_form(services, begin), found, services.settings, cursor=cursor))


def _form(services: Services, begin: str | None) -> TransferForm:
    galleries = [item.pair for item in services.galleries.filled()]
    begins = [(group, options) for group, options in _begins(services).items() if options]
    return TransferForm(
        begins=begins,
        every=[(value, f"{group}: {text}") for group, options in begins for value, text in options],
        begin=begin or "",
        galleries=galleries,
        targets=[("", "the cluster gallery"), *galleries],
        probes=[("", "no probe"), *galleries],
        pretext_recipes=[("small", "small"), ("paper", "paper"), *own_recipes()],
        students=list(STUDENTS),
        recipes=list(RECIPES["cluster_classification"]),
        methods=METHODS,
        can_probe=services.jobs.knows("probe"),
    )


def _begins(services: Services) -> dict[str, list[tuple[str, str]]]:
    """What a chain may begin with: the titles of groups with their options."""
    known = [slug for slug, _ in services.checkpoints.choices()]
    named = [(f"checkpoint:{name}", kind.title + ", no weights") for name, kind in DESCRIPTORS.items()]
    named += [(f"checkpoint:{slug}", "random init, the untrained control") for slug in known if slug == UNTRAINED]
    return {
        "Train a pretext task": [(f"pretrain:{task}", task) for task in RECIPES if task not in LABELLED],
        "Nothing learned: controls": named,
        "A checkpoint": [(f"checkpoint:{slug}", slug) for slug in known if slug not in (*DESCRIPTORS, UNTRAINED)],
        "A scan": [(f"scan:{item.slug}", item.slug) for item in services.scans.choices()],
        "Clusters": [(f"clustering:{slug}", slug) for slug in services.clusterings.choices()],
    }


def own_recipes() -> list[tuple[str, str]]:
    """The option `teacher` for every task that has such a recipe, with the task's name."""
    return [(TEACHER, f"{TEACHER} (of {task})") for task, recipes in RECIPES.items() if TEACHER in recipes]


def show_chain(request: Request, services: Services, chain: str) -> HTMLResponse:
    """The page of one chain, drawn as a pipeline whose boxes are links."""
    return page(request, chain_context(services.chains.get(chain), services.settings))


class ChainForm(BaseModel):
    """The fields of the form. `begin` is `pretrain:TASK`, `checkpoint:SLUG`, `scan:SLUG` or `clustering:SLUG`."""

    begin: str = Field(max_length=500)
    pretext_gallery: str = Field("", max_length=200)
    pretext_recipe: str = Field("small", max_length=100)
    pretext_steps: str = Field("", max_length=12)
    layer: str = Field("", max_length=200)
    cluster_gallery: str = Field("", max_length=200)
    method: str = Field("kmeans", max_length=20)
    k: str = Field("100", max_length=12)
    pca: str = Field("", max_length=12)
    spherical: bool = False
    target_gallery: str = Field("", max_length=200)
    student_network: str = Field("alexnet", max_length=100)
    student_recipe: str = Field("small", max_length=100)
    student_steps: str = Field("", max_length=12)
    seed: str = Field("0", max_length=12)
    probe: str = Field("", max_length=200)

    def spec(self) -> dict[str, Any]:
        """The spec of the chain, without the fields that were left empty. Raises BadQuery.

        Its values are checked where the chain is started.
        """
        kind, _, name = self.begin.partition(":")
        if kind not in BEGINS:
            raise BadQuery("bad_begin", f"Begin with one of the list: {', '.join(f'{kind}:NAME' for kind in BEGINS)}.")
        spec: dict[str, Any] = {
            "method": self.method,
            "k": number(self.k),
            "spherical": self.spherical,
            "cluster_seed": number(self.seed),
            "student": {
                "recipe": self.student_recipe,
                "seed": number(self.seed),
                "config": {"network": self.student_network, **steps(self.student_steps)},
            },
        }
        optional = {
            "layer": self.layer,
            "target_gallery": self.target_gallery,
            "probe": self.probe,
            "pca": number(self.pca),
        }
        spec |= {key: value for key, value in optional.items() if value not in ("", None)}
        if kind == "pretrain":
            pretrain = {"task": name, "gallery": self.pretext_gallery, "recipe": self.pretext_recipe}
            spec["pretrain"] = {**pretrain, "seed": number(self.seed), "config": steps(self.pretext_steps)}
        else:
            spec[kind] = name
        if kind in ("pretrain", "checkpoint") and self.cluster_gallery:
            spec["cluster_gallery"] = self.cluster_gallery
        return spec


def number(text: str) -> object:
    """The whole number that the text is; other text stays, so that the check can name it; None if it is empty."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else text or None


def steps(text: str) -> dict[str, object]:
    """The setting `steps` that replaces the recipe's; empty if none is given."""
    return {} if text == "" else {"steps": number(text)}
