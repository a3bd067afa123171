"""The job `train`: trains a pretext task on a gallery, and writes a checkpoint that records how it was made."""

import contextlib
import json
import os
import platform
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from app.jobs.context import JobContext, JobFailed
from models.atomic import replace_folder, write_json
from models.card import Card, write_card
from models.checkpoints import storage as checkpoints
from models.clusters.files import ClusteringReader
from models.galleries.loading import regions_of
from models.galleries.packs import Pack
from models.memory import fits
from models.network import exact_fp32, resolve_precision
from models.recipes import build_config
from models.recipes.base import BadConfig, ImageConfig
from models.seeds import generator
from models.seen import SEEN, write_seen
from models.tasks import TASKS
from models.tasks.base import Task
from models.tasks.validation import HeldOut
from models.training.batches import Batches, Regions, ResidentRegions, Split, StreamedRegions, split_rows
from models.training.curves import thin
from models.training.loop import FitConfig, fit, saved_state
from models.training.snapshots import FOLDER as SNAPSHOTS
from models.training.targets import NoLabels, OtherImages, Targets, known_of, of_clusters
from models.training.validation import Validator
from models.versions import versions

CURVE_POINTS = 400  # points of each curve that the card keeps
STARTED = "started.json"  # the numbers by which the untrained weights were adjusted
NAMED = {"counts": "named_units"}  # the card's field for the targets' names, where it is not `classes`


def run(job: JobContext) -> None:
    """spec: gallery, task, recipe, config, seed; input: the gallery's pack; output: a checkpoint folder."""
    exact_fp32()
    try:
        config = build_config(job.spec["task"], job.spec["recipe"], job.spec["config"])
    except BadConfig as error:
        raise JobFailed(error.code, str(error)) from error
    with Pack.open(job.inputs["gallery"]) as pack:
        data = read_data(job, pack, config)
        seed = int(job.spec["seed"])
        batches = Batches(
            load_regions(job, pack, data.split.train, data.config),
            crop=data.config.drawn,
            batch_size=config.batch_size,
            seed=seed,
            targets=data.train,
        )
        task = untrained_task(job, data)
        found = begin(job, task, batches, seed)
        card = checkpoints.describe(task, name="training", recipe=None, config=asdict(data.config))
        first = task.encoder.get_parameter(f"{card.first_layer.name}.weight").detach().clone()
        task.to(job.device).to(memory_format=torch.channels_last)
        validator = Validator(task, card, data.held_out_images(seed), data.split.held_out, job.state)
        curves = train(job, task, batches, validator, data.config, seed)
        provenance = {**_provenance(job, pack, data, seed), **task.facts(), **found}
        write_seen(job.state, pack, data.split.train)
        keep(job, task, first, data, curves, provenance)


@dataclass(frozen=True)
class Data:
    """The rows to train on and those held out.

    `regions` are the held-out images. `train` and `held_out` are the targets of the two, None where the task makes them
    itself; `names` are the names of the targets. `majority` is the share of the commonest target, the accuracy of
    guessing. `config` is complete.
    """

    config: ImageConfig
    split: Split
    regions: list[Tensor]
    train: Tensor | None
    held_out: Tensor | None
    names: tuple[str, ...]
    majority: float | None = None

    def held_out_images(self, seed: int) -> HeldOut:
        """The held-out images with their targets; `seed` decides which puzzles are made of them."""
        return HeldOut(self.regions, self.held_out, seed)


def read_data(job: JobContext, pack: Pack, config: ImageConfig) -> Data:
    """Split the gallery and read its targets. Raises JobFailed where images or targets are missing."""
    try:
        targets = read_targets(job, pack, config)
        config = config if targets is None else config.for_classes(len(targets.names))
    except (NoLabels, OtherImages, BadConfig) as error:
        raise JobFailed(error.code, f"{error}.") from error
    least = 0 if config.enlarges else config.drawn
    wanted, apart = (None, None) if targets is None else (targets.known, targets.apart)
    split = split_rows(pack, least, config.held_out, wanted=wanted, apart=apart)
    if len(split.train) < 2 or len(split.held_out) < 2:
        raise JobFailed("too_few_images", f"Training needs 20 images of at least {least} px; {_count(split)}.")
    job.log(f"{_count(split)}; {len(split.held_out)} of them are held out")
    regions = regions_of(pack, split.held_out, config.region, enlarge=config.enlarges)
    if targets is None:
        return Data(config, split, regions, None, None, ())
    train, held_out = (torch.from_numpy(targets.values[list(rows)]) for rows in (split.train, split.held_out))
    return Data(config, split, regions, train, held_out, targets.names, targets.majority)


def read_targets(job: JobContext, pack: Pack, config: ImageConfig) -> Targets | None:
    """The targets of all images; None where the task makes them itself. Raises NoLabels, OtherImages."""
    if config.labels == "clusters":
        return of_clusters(ClusteringReader(job.inputs["clustering"]), pack)
    return known_of(pack, config.targets_from)


def untrained_task(job: JobContext, data: Data) -> Task:
    """The task with the untrained weights that the seed draws."""
    task = TASKS[job.spec["task"]].build(data.config, generator(int(job.spec["seed"]), 0, 0))
    task.names, task.majority = data.names, data.majority
    return task


def load_regions(job: JobContext, pack: Pack, rows: tuple[int, ...], config: ImageConfig) -> Regions:
    """The images to train on: kept on the device if they fit into half of its free memory, else decoded when needed."""
    needed = len(rows) * 3 * config.region**2
    if fits(needed, job.device):
        return ResidentRegions.load(
            pack,
            rows,
            config.region,
            job.device,
            lambda done: job.progress(done, len(rows), "images loaded"),
            enlarge=config.enlarges,
        )
    job.log(f"{needed / 2**30:.1f} GiB of pixels do not fit: decoding while training")
    sides = [min(row.jpeg_width, row.jpeg_height, config.region) for row in pack.metadata(rows)]
    extents = torch.full((len(rows),), config.region) if config.enlarges else torch.tensor(sides)
    return StreamedRegions(pack, rows, extents, config.region, job.device, enlarge=config.enlarges)


def begin(job: JobContext, task: Task, batches: Batches, seed: int) -> dict[str, float]:
    """Let the task adjust its untrained weights to the first batch; a resumed run repeats the same adjustment.

    Returns the numbers of the adjustment.
    """
    kept = job.state / STARTED
    if kept.exists():
        found: dict[str, float] = json.loads(kept.read_text())
        task.begin_like(found)
        return found
    try:
        batch = batches.batch(0)
        found = dict(task.begin(task.views(batch.images, generator(seed, 0, 3), batch.targets).inputs.cpu()))
    except ValueError as error:
        raise JobFailed("bad_start", f"The start cannot be brought to start_norm: {error}.") from error
    write_json(kept, found)
    return found


def train(
    job: JobContext, task: Task, batches: Batches, validator: Validator, config: ImageConfig, seed: int
) -> dict[str, list[list[float]]]:
    """Fit the task and report every term of the loss, and regularly the measures on held-out images; returns curves."""
    how = FitConfig.of(config, seed=seed, precision=resolve_precision(config.precision, job.device))
    if saved_state(job.state) is None and validator.due(0, config.steps):
        job.progress(0, config.steps, "steps", validator.validate(0))
    keep_at = checkpoints.Snapshots(task.encoder, job.state, config.steps).after
    with contextlib.closing(fit(task, batches, how, job.state, keep_at)) as steps:
        for progress in steps:
            metrics = dict(progress.metrics)
            if validator.due(progress.step, config.steps):
                metrics |= validator.validate(progress.step)
            job.progress(progress.step, progress.total, "steps", metrics, rate=progress.rate)
    state = saved_state(job.state)
    assert state is not None
    validated = validator.log.curves(task.first_curves)
    curves = {name: [list(point) for point in line] for name, line in validated.items()}
    return {**state["curves"], **curves}  # type: ignore[dict-item]


def keep(
    job: JobContext,
    task: Task,
    first: Tensor,
    data: Data,
    curves: dict[str, list[list[float]]],
    provenance: dict[str, Any],
) -> None:
    """Write the checkpoint to the job's state, score the stored files, and move the folder to its final place."""
    folder = job.state / "checkpoint"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    sha256 = checkpoints.save_weights(folder, task.encoder, task.head)
    card = checkpoints.describe(task, name=job.slug, recipe=job.spec["recipe"], config=asdict(data.config))
    kept = {name: _thinned(points) for name, points in curves.items()}
    card = replace(card, weights_sha256=sha256, dtype="fp16", provenance=provenance, curves=kept)
    write_card(folder, card)
    checkpoints.write_step0(folder, first.numpy())
    shutil.copyfile(job.state / SEEN, folder / SEEN)
    # Links and not copies: the state keeps its snapshots, in case another attempt has to write the checkpoint again.
    shutil.copytree(job.state / SNAPSHOTS, folder / SNAPSHOTS, copy_function=os.link)
    write_card(folder, replace(card, measures=score(job, folder, card, data)))
    replace_folder(folder, job.output)
    job.artefact("checkpoint", job.slug, job.output, sha256=sha256, architecture=card.architecture, task=card.task)


def score(job: JobContext, folder: Path, card: Card, data: Data) -> dict[str, Any]:
    """The measures of the checkpoint in `folder`, beside those of the network before its first step."""
    before = untrained_task(job, data)
    before.begin_like(card.provenance)
    after = checkpoints.load_task(folder, device=job.device)
    images = data.held_out_images(card.provenance["seed"])
    scored = after.score(before.to(job.device), images, card, job.log)
    if scored.reference is not None:
        checkpoints.write_reference(folder, scored.reference)
    return scored.measures


def _thinned(points: list[list[float]]) -> list[list[float]]:
    return [list(point) for point in thin([(step, value) for step, value in points], CURVE_POINTS)]


def _count(split: Split) -> str:
    usable = len(split.train) + len(split.held_out)
    return f"{usable} images are large enough, {split.too_small} are smaller than the crop and were skipped"


def _provenance(job: JobContext, pack: Pack, data: Data, seed: int) -> dict[str, Any]:
    state = saved_state(job.state) or {}
    config, split = data.config, data.split
    return {
        "job": job.id,
        "gallery": job.spec["gallery"],
        "gallery_fingerprint": pack.fingerprint,
        "images": len(pack),
        "images_trained": len(split.train),
        "images_held_out": len(split.held_out),
        "images_too_small": split.too_small,
        "seed": seed,
        "steps": config.steps,
        "images_seen": config.steps * min(config.batch_size, len(split.train)),
        "geometry": config.geometry,
        "precision": state.get("precision", config.precision),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(job.device) if job.device.startswith("cuda") else platform.machine(),
        "seconds": state.get("seconds"),
        "attempt": job.attempt,
        "versions": versions("torch", "torchvision"),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **({NAMED.get(config.targets_from, "classes"): list(data.names)} if data.names else {}),
        **({"majority": round(data.majority, 6)} if data.majority else {}),
        **_teacher(job),
        **({"images_without_target": split.without_target} if split.without_target else {}),
    }


def _teacher(job: JobContext) -> dict[str, Any]:
    """For a student of knowledge transfer: the clustering that it learned, and the teacher's checkpoint and layer."""
    if "clustering" not in job.inputs:
        return {}
    info = ClusteringReader(job.inputs["clustering"]).info
    return {
        "clustering": info.name,
        "clusters": info.options.k,
        "centres_sha256": info.centres_sha256,
        "teacher": info.checkpoint,
        "teacher_sha256": info.checkpoint_sha256,
        "teacher_layer": info.layer,
        "teacher_architecture": info.provenance.get("architecture") or None,
        "labels": {"random": "drawn at random", "kmeans": "clusters of these images"}.get(
            info.options.method, f"nearest centres of {info.source}"
        ),
        "initialised": "from scratch, by the seed",
    }
