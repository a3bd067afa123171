"""What the pages of knowledge transfer show of chains, in words and addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from app.services.chains.plan import ChainSpec
from app.services.chains.service import Chain, ChainPage, Link, Step
from app.settings import Settings
from app.web.formats import ago
from app.web.frame import PageContext

Options = Sequence[tuple[str, str]]  # value, text
# The word between the artefact of a step and the gallery that it was made with.
BETWEEN: Mapping[Step, str] = {
    "pretrain": "trained on",
    "scan": "over",
    "cluster": "of",
    "scan_target": "over",
    "pseudo_labels": "for",
    "student": "trained on",
    "probe": "on",
}


@dataclass(frozen=True)
class LinkBox:
    """One box of the pipeline: a link of the chain, the artefact that it makes, and the gallery that it uses.

    `between` is the word between artefact and gallery. `job` is empty if the artefact was there before the chain.
    `share` is how much of a running job is done, from 0 to 1. `tone` is the colour of `error`.
    """

    title: str
    state: str
    slug: str
    href: str
    between: str
    gallery: str
    gallery_href: str
    job: str
    job_href: str
    runs: bool
    share: float | None
    error: str
    tone: str


@dataclass(frozen=True)
class ChainLine:
    """A chain in the list."""

    name: str
    href: str
    state: str
    made: Markup
    links: Sequence[LinkBox]


@dataclass(frozen=True)
class TransferForm:
    """The choices of the form. `begins` has what a chain may begin with, in groups; `every` has the same as one list.

    `begin` is the one that is chosen already, empty if none is. The other lists are the options of the later links.
    """

    begins: Sequence[tuple[str, Options]]
    every: Options
    begin: str
    galleries: Options
    targets: Options
    probes: Options
    pretext_recipes: Options
    students: Sequence[str]
    recipes: Sequence[str]
    methods: Options
    can_probe: bool


@dataclass(frozen=True)
class TransferContext(PageContext):
    """The form that starts a chain, None while no gallery has images, and the chains that were started.

    `first` and `next` are the addresses of the first and the next part of the list, None where this part is it.
    """

    template: ClassVar[str] = "transfer.html"
    form: TransferForm | None
    chains: Sequence[ChainLine]
    first: str | None
    next: str | None


@dataclass(frozen=True)
class ChainContext(PageContext):
    """One chain drawn as a pipeline. `here` and `json` are its addresses, `facts` what was asked for.

    If a link is broken, `resume` is the text of the button that starts it again, and `notice` says what happened; else
    both are empty. `unfinished`: a link waits or runs.
    """

    template: ClassVar[str] = "chain.html"
    name: str
    state: str
    here: str
    json: str
    resume: str
    notice: str
    unfinished: bool
    links: Sequence[LinkBox]
    facts: Sequence[tuple[str, str]]


def transfer_context(
    form: TransferForm, found: ChainPage, settings: Settings, *, cursor: str | None
) -> TransferContext:
    """The page with the form and a part of the list of chains."""
    here = settings.url("/transfer")
    return TransferContext(
        form=form if form.galleries else None,
        chains=[_line(chain, settings) for chain in found.chains],
        first=None if cursor is None else here,
        next=f"{here}?cursor={found.next}" if found.next else None,
    )


def chain_context(chain: Chain, settings: Settings) -> ChainContext:
    """The page of one chain."""
    broken = chain.broken
    return ChainContext(
        name=chain.name,
        state=chain.state,
        here=settings.url(f"/chains/{chain.id}"),
        json=settings.url(f"/api/chains/{chain.id}"),
        resume="" if broken is None else f"Go on from {broken.title.lower()}",
        notice="" if broken is None else _held_up(broken),
        unfinished=chain.unfinished,
        links=[_box(link, settings) for link in chain.links],
        facts=_facts(chain.spec),
    )


def _held_up(link: Link) -> str:
    how = "failed" if link.state == "failed" else "was cancelled"
    return f"{link.title} {how}: what follows is blocked until it is taken up again."


def _line(chain: Chain, settings: Settings) -> ChainLine:
    return ChainLine(
        name=chain.name,
        href=settings.url(f"/chains/{chain.id}"),
        state=chain.state,
        made=ago(chain.created_at),
        links=[_box(link, settings) for link in chain.links],
    )


def _box(link: Link, settings: Settings) -> LinkBox:
    job = link.job
    return LinkBox(
        title=link.title,
        state=link.state,
        slug=link.slug,
        href=settings.url(link.page) if link.page else "",
        between=BETWEEN[link.step],
        gallery=link.gallery,
        gallery_href=settings.url(f"/galleries/{link.gallery}"),
        job="" if job is None else f"job {job.id}",
        job_href="" if job is None else settings.url(f"/jobs/{job.id}"),
        runs=link.state == "running",
        share=link.share,
        error=job.error.message if job is not None and job.error is not None else "",
        tone="bad" if link.state == "failed" else "warn",
    )


def _facts(spec: ChainSpec) -> list[tuple[str, str]]:
    """What was asked for, as (name, value) to read."""
    begin = spec.checkpoint or spec.scan or spec.clustering or ""
    student = spec.student
    network = student.config.get("network", "alexnet")
    return [
        ("Teacher", f"{spec.pretrain.task} on {spec.pretrain.gallery}" if spec.pretrain else begin),
        ("Layer", spec.layer or "that of the clustering"),
        ("Clusters", "those there are" if spec.clustering else f"{spec.k}{_grouped(spec)}"),
        ("Student", f"{network}, recipe {student.recipe}, seed {student.seed}"),
        ("Probe", spec.probe or "none"),
    ]


def _grouped(spec: ChainSpec) -> str:
    if spec.method == "random":
        return " random groups: a control"
    pca = f", PCA to {spec.pca}" if spec.pca else ""
    return f" by k-means{', spherical' if spec.spherical else ''}{pca}"
