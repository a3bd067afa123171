"""Checks the submission of a clustering: scan, layer, and the number of clusters or the centres to use."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.failures import BadQuery, Conflict
from app.jobs.states import ENDED
from app.services.jobs.submissions.inputs import Input, validated
from app.services.jobs.submissions.prepared import PreparedJob
from app.services.similar_names import unknown
from app.settings import Settings
from app.store.engine import Store
from app.store.tables import ClusteringRow, GalleryRow, JobRow, ScanRow
from models.clusters.files import Options, fitted_mask
from models.galleries.packs import Pack, PackDamaged, Shard

MOST_CLUSTERS = 100_000


class ClusterSpec(BaseModel):
    """The settings of a clustering.

    `centres` is the slug of a clustering whose centres are used instead of new ones. `pca` is the number of dimensions
    that values are reduced to, None for no reduction. `fit` says which split the centres are fitted on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scan: str = Field(min_length=1, max_length=400)
    layer: str = Field(min_length=1, max_length=200)
    method: Literal["kmeans", "random", "centres"] = "kmeans"
    centres: str | None = Field(None, min_length=1, max_length=400)
    k: int = Field(100, ge=2, le=MOST_CLUSTERS)
    normalise: bool = True
    spherical: bool = False
    pca: int | None = Field(None, ge=2, le=4096)
    whiten: bool = False
    iterations: int = Field(20, ge=1, le=1000)
    seed: int = Field(0, ge=0, le=2**32 - 1)
    fit: Literal["train", "all"] = "train"

    @model_validator(mode="after")
    def consistent(self) -> Self:
        """Refuse settings that contradict each other."""
        if (self.method == "centres") != (self.centres is not None):
            raise PydanticCustomError(
                "centres", "Method centres needs the name of a clustering in `centres`, others none"
            )
        if self.whiten and self.pca is None:
            raise PydanticCustomError("whiten", "Whitening needs a number of PCA dimensions in `pca`")
        if self.spherical and not self.normalise:
            raise PydanticCustomError("spherical", "Spherical clustering needs `normalise`")
        return self


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> PreparedJob:  # noqa: ARG001 - the kinds' interface
    """Check the spec of a clustering. Raises BadQuery (k too large, unknown layer), NotFound, Conflict."""
    asked = validated(ClusterSpec, spec)
    with store.read() as session:
        scan, layers, gallery = _scan_input(session, asked.scan)
        centres = None if asked.centres is None else clustering_input(session, asked.centres)
        pack = session.scalar(select(GalleryRow).where(GalleryRow.slug == gallery))
        shards = () if pack is None else tuple(Shard(s["file"], s["rows"], s["sha256"]) for s in pack.shards)
        folder = f"galleries/{gallery}" if pack is None else pack.folder
    if layers and asked.layer not in layers:
        raise BadQuery("unknown_layer", f"There is no layer {asked.layer[:80]!r}; there are {', '.join(layers)}.")
    if asked.method == "kmeans" and shards:
        _check_size(Pack(store.path(folder), shards), asked, scan)
    inputs = {"scan": scan.folder, "gallery": folder}
    waits = [scan.job, None if centres is None else centres.job]
    prints = {"scan": scan.fingerprint} | ({} if centres is None else {"centres": centres.fingerprint})
    slug = _slug(asked)
    return PreparedJob(
        spec=asked.model_dump(mode="json"),
        slug=slug,
        path=f"clusters/{slug}",
        inputs=inputs if centres is None else {**inputs, "centres": centres.folder},
        needs=tuple(job for job in waits if job is not None),
        fingerprints=prints,
    )


def clustering_input(session: Session, slug: str) -> Input:
    """The clustering, or the job that will make it. Raises NotFound."""
    row = session.scalar(select(ClusteringRow).where(ClusteringRow.slug == slug))
    if row is not None:
        return Input(row.folder, f"job-{row.job_id}")
    job = _promised(session, "clustering", slug)
    if job is None or job.output_path is None:
        raise unknown(session, ClusteringRow, slug)
    return Input(job.output_path, f"job-{job.id}", job.id)


def _scan_input(session: Session, slug: str) -> tuple[Input, tuple[str, ...], str]:
    """The scan, or the job that will make or extend it; its layers as far as they are known, and its gallery."""
    job = _promised(session, "scan", slug)
    if job is not None and job.output_path is not None:
        layers = job.spec.get("layers") or ()
        return Input(job.output_path, f"job-{job.id}", job.id), tuple(layers), str(job.spec["gallery"])
    row = session.scalar(select(ScanRow).where(ScanRow.slug == slug, ScanRow.done))
    if row is None:
        raise unknown(session, ScanRow, slug)
    return Input(row.folder, f"job-{row.job_id}"), tuple(row.layers), row.gallery


def _promised(session: Session, kind: str, slug: str) -> JobRow | None:
    """The unfinished job that will make or extend this artefact; None where there is none."""
    query = select(JobRow).where(JobRow.output_kind == kind, JobRow.output_slug == slug)
    return session.scalar(query.where(JobRow.state.not_in(ENDED)).order_by(JobRow.id.desc()))


def _check_size(pack: Pack, asked: ClusterSpec, scan: Input) -> None:
    """Raises BadQuery where more clusters are asked for than there are images to fit them on."""
    options = Options(k=asked.k, seed=asked.seed, fit=asked.fit)
    try:
        fitted = int(fitted_mask(pack, options, len(pack)).sum())
    except PackDamaged as error:
        raise Conflict(error.code, f"The files of the scanned gallery are damaged: {error}.") from error
    if asked.k > fitted and scan.job is None:
        among = "images" if fitted == len(pack) else f"train images (of {len(pack)})"
        raise BadQuery(
            "k_too_large",
            f"{asked.k} clusters need at least {asked.k} images to be fitted on; this gallery has {fitted} {among}.",
            {"field": "k", "most": fitted},
        )


def _slug(asked: ClusterSpec) -> str:
    """`<scan>-<layer>-k100`, followed by the settings that differ from the defaults."""
    stem = f"{asked.scan}-{asked.layer}".lower().replace("_", "-").replace(".", "-")
    if asked.method == "centres":
        return f"{stem}-by-{asked.centres}"[:200]
    if asked.method == "random":
        return f"{stem}-k{asked.k}-random"
    rotated = "" if asked.pca is None else f"-pca{asked.pca}" + ("-white" if asked.whiten else "")
    return f"{stem}-k{asked.k}{rotated}" + ("-spherical" if asked.spherical else "")
