"""The settings of a chain, and the checks that are made before its first job is queued."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.failures import BadQuery, Conflict
from app.services.jobs.submissions.inputs import gallery_input, validated
from app.services.jobs.submissions.train import check_size
from app.services.similar_names import unknown
from app.settings import Settings
from app.store.engine import Store
from app.store.tables import CheckpointRow, ClusteringRow, ScanRow
from models.card import NotACheckpoint, last_conv, read_card
from models.clusters.files import Options, fitted_mask
from models.descriptors import DESCRIPTORS
from models.galleries.packs import Pack
from models.recipes import build_config
from models.recipes.base import BadConfig
from models.scans.files import ScanUnreadable, read_info


class _StrictPlan(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pretrain(_StrictPlan):
    """The pretext task that makes the teacher."""

    gallery: str = Field(min_length=1, max_length=200)
    task: str = Field("counting", max_length=100)
    recipe: str = Field("small", max_length=100)
    config: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(0, ge=0, le=2**32 - 1)


class Student(_StrictPlan):
    """The network that is trained from scratch on the pseudo-labels."""

    recipe: str = Field("small", max_length=100)
    config: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(0, ge=0, le=2**32 - 1)


class ChainSpec(_StrictPlan):
    """The settings of a chain, which begins with one of `pretrain`, `checkpoint` (also `hog`), `scan`, `clustering`.

    `layer` is the layer of the teacher whose values are clustered, None for its last convolution or the descriptor.
    The images of `cluster_gallery` are clustered; those of `target_gallery`, None for the same gallery, get
    pseudo-labels and train the student. `probe` is the labelled gallery on which the student is measured, None for no
    probe.
    """

    pretrain: Pretrain | None = None
    checkpoint: str | None = Field(None, min_length=1, max_length=200)
    scan: str | None = Field(None, min_length=1, max_length=400)
    clustering: str | None = Field(None, min_length=1, max_length=400)
    layer: str | None = Field(None, min_length=1, max_length=200)
    cluster_gallery: str | None = Field(None, min_length=1, max_length=200)
    target_gallery: str | None = Field(None, min_length=1, max_length=200)
    probe: str | None = Field(None, min_length=1, max_length=200)
    probe_spec: dict[str, Any] = Field(default_factory=dict)
    method: Literal["kmeans", "random"] = "kmeans"
    k: int = Field(100, ge=2, le=100_000)
    spherical: bool = False
    pca: int | None = Field(None, ge=2, le=4096)
    whiten: bool = False
    iterations: int = Field(20, ge=1, le=1000)
    cluster_seed: int = Field(0, ge=0, le=2**32 - 1)
    student: Student = Student()

    @model_validator(mode="after")
    def consistent(self) -> Self:
        """Refuse specs with no beginning or with several, and settings that contradict each other."""
        begins = [name for name in ("pretrain", "checkpoint", "scan", "clustering") if getattr(self, name) is not None]
        if len(begins) != 1:
            raise PydanticCustomError("begin", "Begin with exactly one of pretrain, checkpoint, scan, clustering")
        if begins[0] in ("pretrain", "checkpoint") and self.cluster_gallery is None:
            raise PydanticCustomError("gallery", "Name the gallery to cluster in `cluster_gallery`")
        if self.whiten and self.pca is None:
            raise PydanticCustomError("whiten", "Whitening needs a number of PCA dimensions in `pca`")
        return self

    @property
    def cluster_spec(self) -> dict[str, Any]:
        """The options of the cluster job."""
        kept = self.model_dump(include={"method", "k", "spherical", "pca", "whiten", "iterations"})
        return {**kept, "seed": self.cluster_seed}

    @property
    def title(self) -> str:
        """The name of the chain, such as `hog → 100 clusters → alexnet`."""
        begin = self.checkpoint or self.scan or self.clustering
        if self.pretrain is not None:
            begin = f"{self.pretrain.task} on {self.pretrain.gallery}"
        middle = "" if self.clustering else f" → {self.k} {'random groups' if self.method == 'random' else 'clusters'}"
        return f"{begin}{middle} → {self.student.config.get('network', 'alexnet')}"


def checked(store: Store, settings: Settings, spec: dict[str, Any]) -> ChainSpec:  # noqa: ARG001 - as submissions
    """The spec with its defaults. Raises BadQuery, NotFound or Conflict for all problems that show beforehand."""
    asked = validated(ChainSpec, spec)
    last, pretext = "conv5", None
    try:
        if asked.pretrain is not None:
            pretext = build_config(asked.pretrain.task, asked.pretrain.recipe, asked.pretrain.config)
            last = pretext.last_convolution
        labelled = {**asked.student.config, "clustering": "those of this chain"}
        student = build_config("cluster_classification", asked.student.recipe, labelled)
    except BadConfig as error:
        raise BadQuery(error.code, f"{error}.") from error
    named = [asked.cluster_gallery, asked.target_gallery, asked.probe]
    named.append(None if asked.pretrain is None else asked.pretrain.gallery)
    with store.read() as session:
        ready = {name: gallery_input(session, name) for name in named if name is not None}
        gallery, layers, known = _begins_with(session, store, asked)
    asked = _with_layer(asked, layers, known or last)
    if asked.probe is not None and ready[asked.probe].job is None:
        _check_labels(store, ready[asked.probe].folder, asked.probe)
    where = asked.cluster_gallery or gallery
    trained = {None if asked.pretrain is None else asked.pretrain.gallery: pretext, asked.target_gallery: student}
    for name, config in trained.items():
        if name is not None and config is not None and ready[name].job is None:
            check_size(store, ready[name].folder, config)
    if asked.method == "kmeans" and asked.clustering is None and where in ready and ready[where].job is None:
        _check_k(store, ready[where].folder, asked)
    return asked


def _begins_with(session: Session, store: Store, asked: ChainSpec) -> tuple[str | None, tuple[str, ...], str | None]:
    """What is known of the chain's beginning, as far as it exists: gallery, names of layers, and the default layer.

    The gallery is that of a scan or clustering; the default layer is the last convolution. Raises NotFound, Conflict.
    """
    if asked.clustering is not None:
        row = session.scalar(select(ClusteringRow).where(ClusteringRow.slug == asked.clustering))
        if row is None:
            raise unknown(session, ClusteringRow, asked.clustering)
        return row.gallery, (), None
    if asked.scan is not None:
        scan = session.scalar(select(ScanRow).where(ScanRow.slug == asked.scan, ScanRow.done))
        if scan is None:
            raise unknown(session, ScanRow, asked.scan)
        try:
            layers = read_info(store.path(scan.folder)).layers
        except ScanUnreadable as error:
            raise Conflict(error.code, f"The scan's files are damaged: {error}.") from error
        return scan.gallery, tuple(layer.name for layer in layers), (last_conv(layers) or layers[-1]).name
    if asked.checkpoint is not None:
        if asked.checkpoint in DESCRIPTORS:
            return None, (asked.checkpoint,), asked.checkpoint
        checkpoint = session.scalar(select(CheckpointRow).where(CheckpointRow.slug == asked.checkpoint))
        if checkpoint is None:
            raise unknown(session, CheckpointRow, asked.checkpoint)
        try:
            layers = read_card(store.path(checkpoint.folder)).layers
        except NotACheckpoint as error:
            raise Conflict(error.code, f"The checkpoint's files are damaged: {error}.") from error
        return None, tuple(layer.name for layer in layers), (last_conv(layers) or layers[-1]).name
    return None, (), None


def _with_layer(asked: ChainSpec, names: tuple[str, ...], last: str) -> ChainSpec:
    """The spec with its layer, which is `last` where none is named. Raises BadQuery for a layer not in `names`."""
    if asked.clustering is not None:
        return asked
    if asked.layer is None:
        return asked.model_copy(update={"layer": last})
    if names and asked.layer not in names:
        raise BadQuery("unknown_layer", f"There is no layer {asked.layer[:80]!r}; there are {', '.join(names)}.")
    return asked


def _check_labels(store: Store, folder: str, gallery: str) -> None:
    """Raises BadQuery where a gallery clearly has no labels for a probe; the probe itself checks more."""
    with Pack.open(store.path(folder)) as pack:
        known = any(row.counts for row in pack.metadata(range(min(len(pack), 100))))
        if len(pack.labels()) < 2 and not known:
            raise BadQuery("unlabelled", f"A probe needs a labelled gallery; the images of {gallery} carry no labels.")


def _check_k(store: Store, folder: str, asked: ChainSpec) -> None:
    with Pack.open(store.path(folder)) as pack:
        fitted = int(fitted_mask(pack, Options(k=asked.k, seed=asked.cluster_seed), len(pack)).sum())
    if asked.k > fitted:
        raise BadQuery(
            "k_too_large",
            f"{asked.k} clusters need at least {asked.k} images to be fitted on; this gallery has {fitted}.",
            {"field": "k", "most": fitted},
        )
