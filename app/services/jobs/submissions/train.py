"""Checks the submission of a training: task, gallery, and the recipe with every setting filled in."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.failures import BadQuery, Conflict
from app.services.jobs.submissions.cluster import clustering_input
from app.services.jobs.submissions.inputs import Input, gallery_input, validated
from app.services.jobs.submissions.prepared import PreparedJob
from app.settings import Settings
from app.store.engine import Store
from app.store.tables import ClusteringRow
from models.galleries.packs import Pack, PackDamaged
from models.recipes import build_config, config_dict
from models.recipes.base import BadConfig, ImageConfig
from models.recipes.cluster_classification import ClusterClassificationConfig
from models.training.targets import NoLabels, known_of

LEAST_IMAGES = 20


class TrainSpec(BaseModel):
    """The settings of a training; `config` overrides single settings of the recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gallery: str = Field(min_length=1, max_length=200)
    task: str = "counting"
    recipe: str = "small"
    config: dict[str, Any] = Field(default_factory=dict)
    seed: int = Field(0, ge=0, le=2**32 - 1)


def prepare(store: Store, settings: Settings, spec: dict[str, Any]) -> PreparedJob:  # noqa: ARG001 - the kinds' interface
    """Check the spec of a training and fill in the recipe. Raises BadQuery, NotFound, Conflict."""
    asked = validated(TrainSpec, spec)
    try:
        config = build_config(asked.task, asked.recipe, asked.config)
    except BadConfig as error:
        raise BadQuery(error.code, f"{error}.") from error
    with store.read() as session:
        gallery = gallery_input(session, asked.gallery)
        clustering = _clusters(session, asked.gallery, config)
    if config.targets_from in ("gallery", "counts") and gallery.job is None:
        _check_labels(store, gallery, config)
    if gallery.job is None:
        check_size(store, gallery.folder, config)
    slug = f"{asked.task}-{asked.gallery}"
    return PreparedJob(
        spec={**asked.model_dump(mode="json"), "config": config_dict(config)},
        slug=slug,
        path=f"checkpoints/{slug}",
        inputs={"gallery": gallery.folder, **({} if clustering is None else {"clustering": clustering.folder})},
        needs=tuple(made.job for made in (gallery, clustering) if made is not None and made.job is not None),
        fingerprints={
            "gallery": gallery.fingerprint,
            **({} if clustering is None else {"clustering": clustering.fingerprint}),
        },
    )


def check_size(store: Store, folder: str, config: ImageConfig) -> None:
    """Raises BadQuery where fewer than 20 images are large enough.

    At most a tenth of the images is held out, and a training needs two that are.
    """
    least = 0 if config.enlarges else config.drawn
    try:
        with Pack.open(store.path(folder)) as pack:
            large = 0
            for start in range(0, len(pack), LEAST_IMAGES):
                rows = pack.metadata(range(start, min(start + LEAST_IMAGES, len(pack))))
                large += sum(min(row.jpeg_width, row.jpeg_height) >= least for row in rows)
                if large >= LEAST_IMAGES:
                    return
    except PackDamaged:
        return  # the job reports the damage
    size = f" of at least {least} px" if least else ""
    raise BadQuery("too_few_images", f"Training needs {LEAST_IMAGES} images{size}; this gallery has {large}.")


def _clusters(session: Session, gallery: str, config: ImageConfig) -> Input | None:
    """The clustering whose groups are learned. Raises NotFound, and BadQuery where it is of another gallery."""
    if not isinstance(config, ClusterClassificationConfig):
        return None
    found = clustering_input(session, config.clustering)
    row = session.scalar(select(ClusteringRow).where(ClusteringRow.slug == config.clustering))
    if row is not None and row.gallery != gallery:
        raise BadQuery(
            "other_gallery",
            f"{row.slug} groups the images of {row.gallery}. Scan {gallery} with {row.checkpoint} and give its images "
            "the nearest of these centres first (a cluster job with method centres).",
        )
    return found


def _check_labels(store: Store, gallery: Input, config: ImageConfig) -> None:
    """Raises BadQuery where the gallery has no labels to learn, and Conflict where its files are damaged."""
    try:
        with Pack.open(store.path(gallery.folder)) as pack:
            targets = known_of(pack, config.targets_from)
            config.for_classes(0 if targets is None else len(targets.names))
    except (NoLabels, BadConfig) as error:
        raise BadQuery(error.code, f"{error}.") from error
    except PackDamaged as error:
        raise Conflict(error.code, f"The gallery's files are damaged: {error}.") from error
