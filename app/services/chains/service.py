"""Knowledge transfer as a chain of jobs: pretrain, scan, cluster, pseudo-labels, cluster classification, probe.

Every link is an ordinary job that waits for the one before it; a chain only records which jobs are its links. A link
whose artefact exists already needs no job.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import select

from app.failures import Conflict, DomainError, NotFound
from app.jobs.catalogue import artefact
from app.jobs.identity import identity
from app.jobs.records import JobRecord
from app.jobs.spec import Output
from app.jobs.states import RESUMABLE, State
from app.services.chains.plan import ChainSpec, checked
from app.services.cursors import position
from app.services.jobs.service import JobsService
from app.services.jobs.view import view
from app.settings import Settings
from app.store.engine import Store
from app.store.tables import ChainRow, ClusteringRow, ScanRow

Step = Literal["pretrain", "scan", "cluster", "scan_target", "pseudo_labels", "student", "probe"]
TITLES: Mapping[str, str] = {
    "pretrain": "Pretext task",
    "scan": "Features",
    "cluster": "Clusters",
    "scan_target": "Features of the target",
    "pseudo_labels": "Pseudo-labels",
    "student": "Student",
    "probe": "Probe",
}


@dataclass(frozen=True)
class Link:
    """One step of a chain: the `kind` and `slug` of the artefact, and the job that makes it.

    `job` is None where the artefact existed before the chain. `gallery` is empty for a checkpoint that did.
    """

    step: Step
    kind: str
    slug: str
    gallery: str
    job: JobRecord | None

    @property
    def title(self) -> str:
        return "Teacher" if self.step == "pretrain" and self.job is None else TITLES[self.step]

    @property
    def state(self) -> State | Literal["there"]:
        return "there" if self.job is None else self.job.state

    @property
    def share(self) -> float | None:
        """The finished part of the job, 0 to 1; None where it is not known."""
        return 1.0 if self.job is None else view(self.job).share

    @property
    def page(self) -> str | None:
        """The address of the artefact's page; None until it is there."""
        if self.state not in ("there", "done"):
            return None
        made = artefact(self.kind)
        if self.kind == "probe" or made is None:
            return "/results"
        return made.page(Output(self.kind, self.slug, ""))


@dataclass(frozen=True)
class Chain:
    """A chain and its links in order."""

    id: int
    name: str
    spec: ChainSpec
    links: tuple[Link, ...]
    created_at: datetime

    @property
    def state(self) -> str:
        """The worst state of its links: `failed` where one has failed, `done` where all are."""
        states = {link.state for link in self.links}
        for worst in ("failed", "cancelled", "blocked", "cancelling", "running", "queued"):
            if worst in states:
                return worst
        return "done"

    @property
    def broken(self) -> Link | None:
        """The first link that failed or was cancelled, for which the rest waits; None where there is none."""
        return next((link for link in self.links if link.state in RESUMABLE), None)

    @property
    def unfinished(self) -> bool:
        return self.state in ("queued", "running", "cancelling")


@dataclass(frozen=True)
class ChainPage:
    """Some chains, newest first, and the cursor of the page after them; None on the last page."""

    chains: tuple[Chain, ...]
    next: str | None


class ChainsService:
    """Starts, reads, resumes and cancels chains."""

    def __init__(self, store: Store, settings: Settings, jobs: JobsService) -> None:
        self._store = store
        self._settings = settings
        self._jobs = jobs

    def start(self, spec: Mapping[str, Any]) -> tuple[Chain, bool]:
        """The chain of a spec, and whether this call queued any work.

        The same spec gives the same chain, whose failed and cancelled links are queued again. Raises BadQuery,
        NotFound, Conflict, Busy; then no job of a new chain stays queued.
        """
        asked = checked(self._store, self._settings, dict(spec))
        name = identity("chain", asked.model_dump(mode="json"), {})
        with self._store.read() as session:
            known = session.scalar(select(ChainRow.id).where(ChainRow.identity == name))
        if known is not None:
            return self.resume(known)
        links = _Builder(self._store, self._jobs, asked).build()
        with self._store.write() as session:
            row = ChainRow(identity=name, name=asked.title, spec=asked.model_dump(mode="json"), links=links)
            session.add(row)
            session.flush()
            number = row.id
        return self.get(number), True

    def resume(self, chain: int | str) -> tuple[Chain, bool]:
        """Queue every failed or cancelled link again; returns the chain and whether there was one.

        Raises NotFound, Busy.
        """
        found = self.get(chain)
        broken = [link.job for link in found.links if link.job is not None and link.job.state in RESUMABLE]
        for job in broken:
            self._jobs.resume(job.id)
        return (self.get(chain), True) if broken else (found, False)

    def cancel(self, chain: int | str) -> Chain:
        """Cancel every link that waits or runs. Raises NotFound, and Conflict where no link does."""
        found = self.get(chain)
        alive = [link.job for link in found.links if link.job and link.job.state in ("queued", "blocked", "running")]
        if not alive:
            raise Conflict("chain_ended", f"No link of this chain waits or runs: it is {found.state}.")
        for job in reversed(alive):  # the last first, so that none becomes blocked
            try:
                self._jobs.cancel(job.id)
            except Conflict:
                continue  # it ended in the meantime
        return self.get(chain)

    def get(self, chain: int | str) -> Chain:
        """The chain of that id. Raises NotFound."""
        number = int(chain) if isinstance(chain, int) or (chain.isascii() and chain.isdecimal()) else 0
        with self._store.read() as session:
            row = session.get(ChainRow, number) if 0 < number < 2**63 else None
        if row is None:
            raise NotFound("unknown_chain", "There is no chain of this id.")
        return self._chain(row)

    def list(self, *, limit: int = 20, cursor: str | None = None) -> ChainPage:
        """A page of chains, newest first. Raises BadQuery for a cursor that no page gave."""
        query = select(ChainRow).order_by(ChainRow.id.desc()).limit(limit + 1)
        if cursor is not None:
            query = query.where(ChainRow.id < position(cursor))
        with self._store.read() as session:
            rows = session.scalars(query).all()
        more = str(rows[limit - 1].id) if len(rows) > limit else None
        return ChainPage(tuple(self._chain(row) for row in rows[:limit]), more)

    def _chain(self, row: ChainRow) -> Chain:
        links = tuple(
            Link(
                step=cast(Step, link["step"]),
                kind=link["kind"],
                slug=link["slug"],
                gallery=link["gallery"],
                job=None if link["job"] is None else self._jobs.get(int(link["job"])),
            )
            for link in row.links
        )
        return Chain(row.id, row.name, ChainSpec.model_validate(row.spec), links, row.created_at)


class _Builder:
    """Queues the links of one chain, each waiting for the one before; where one is refused, all are cancelled."""

    def __init__(self, store: Store, jobs: JobsService, asked: ChainSpec) -> None:
        self._store, self._jobs, self._asked = store, jobs, asked
        self._links: list[dict[str, Any]] = []
        self._new: list[JobRecord] = []

    def build(self) -> list[dict[str, Any]]:
        """Queue all links; returns them in order. Raises what a submission raises, after cancelling earlier links."""
        try:
            clustering = self._clustering()
            labels = self._pseudo_labels(clustering)
            student = self._student(labels)
            if self._asked.probe is not None:
                spec = {"checkpoint": student, "gallery": self._asked.probe, **self._asked.probe_spec}
                self._submit("probe", "probe", self._asked.probe, spec)
        except DomainError:
            for job in reversed(self._new):
                self._jobs.cancel(job.id)
            raise
        return self._links

    def _clustering(self) -> str:
        asked = self._asked
        if asked.clustering is not None:
            return self._there("cluster", "clustering", asked.clustering, self._gallery_of(asked.clustering))
        if asked.scan is not None:
            scan = self._there("scan", "scan", asked.scan, self._scanned(asked.scan))
        else:
            scan = self._scan("scan", self._teacher(), asked.cluster_gallery)
        spec = {"scan": scan, "layer": asked.layer, **asked.cluster_spec}
        return self._submit("cluster", "cluster", self._links[-1]["gallery"], spec)

    def _teacher(self) -> str:
        asked = self._asked
        if asked.checkpoint is not None:
            return self._there("pretrain", "checkpoint", asked.checkpoint, "")
        assert asked.pretrain is not None
        return self._submit("pretrain", "train", asked.pretrain.gallery, asked.pretrain.model_dump(mode="json"))

    def _pseudo_labels(self, clustering: str) -> str:
        """The clustering that labels the target gallery: the given one, or one of the target by its centres."""
        asked, fitted_on = self._asked, self._links[-1]["gallery"]
        if asked.target_gallery in (None, fitted_on):
            return clustering
        assert asked.target_gallery is not None
        teacher, layer = self._space(clustering)
        scan = self._scan("scan_target", teacher, asked.target_gallery, layer)
        spec = {"scan": scan, "layer": layer, "method": "centres", "centres": clustering}
        return self._submit("pseudo_labels", "cluster", asked.target_gallery, spec)

    def _student(self, labels: str) -> str:
        asked = self._asked
        gallery = asked.target_gallery or self._links[-1]["gallery"]
        config = {**asked.student.config, "clustering": labels}
        spec = {
            "gallery": gallery,
            "task": "cluster_classification",
            "recipe": asked.student.recipe,
            "seed": asked.student.seed,
            "config": config,
        }
        return self._submit("student", "train", gallery, spec)

    def _scan(self, step: Step, checkpoint: str, gallery: str | None, layer: str | None = None) -> str:
        """The slug of a finished scan that has the layer, else of a new scan of that layer alone."""
        assert gallery is not None
        layer = layer or self._asked.layer
        assert layer is not None
        query = select(ScanRow).where(ScanRow.checkpoint == checkpoint, ScanRow.gallery == gallery, ScanRow.done)
        with self._store.read() as session:
            rows = list(session.scalars(query.order_by(ScanRow.id.desc())))
        for row in rows:
            if layer in row.layers:
                return self._there(step, "scan", row.slug, gallery)
        return self._submit(step, "scan", gallery, {"checkpoint": checkpoint, "gallery": gallery, "layers": [layer]})

    def _space(self, clustering: str) -> tuple[str, str]:
        """The checkpoint and the layer whose values a clustering groups."""
        with self._store.read() as session:
            row = session.scalar(select(ClusteringRow).where(ClusteringRow.slug == clustering))
        if row is not None:
            return row.checkpoint, row.layer
        teacher = next((link["slug"] for link in self._links if link["step"] == "pretrain"), None)
        if teacher is None:
            with self._store.read() as session:
                scan = session.scalar(select(ScanRow).where(ScanRow.slug == self._asked.scan))
            assert scan is not None
            teacher = scan.checkpoint
        assert self._asked.layer is not None
        return teacher, self._asked.layer

    def _scanned(self, scan: str) -> str:
        with self._store.read() as session:
            return session.scalar(select(ScanRow.gallery).where(ScanRow.slug == scan)) or ""

    def _gallery_of(self, clustering: str) -> str:
        with self._store.read() as session:
            return session.scalar(select(ClusteringRow.gallery).where(ClusteringRow.slug == clustering)) or ""

    def _there(self, step: Step, kind: str, slug: str, gallery: str) -> str:
        self._links.append({"step": step, "kind": kind, "slug": slug, "gallery": gallery, "job": None})
        return slug

    def _submit(self, step: Step, kind: str, gallery: str, spec: Mapping[str, Any]) -> str:
        job, new = self._jobs.submit(kind, spec)
        if new:
            self._new.append(job)
        assert job.output is not None
        made = {"step": step, "kind": job.output.kind, "slug": job.output.slug, "gallery": gallery, "job": job.id}
        self._links.append(made)
        return job.output.slug
