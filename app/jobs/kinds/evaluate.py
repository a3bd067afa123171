"""The job `evaluate`: measures a checkpoint and its controls on a gallery: equation, neighbours, numbers of things."""

import time

from app.jobs.context import JobContext
from models.card import read_card
from models.evaluations import files as evaluations
from models.evaluations.files import Evaluation
from models.evaluations.gallery import Amounts, evaluate_on
from models.galleries.packs import Pack
from models.network import exact_fp32

PARTS = 7  # how many parts it reports, one after the other


def run(job: JobContext) -> None:
    """spec: checkpoint, gallery, images, database, queries, seed; inputs: both folders; output: a file by the card."""
    exact_fp32()
    spec, folder = job.spec, job.inputs["checkpoint"]
    card = read_card(folder)
    told = 0

    def tick(message: str) -> None:
        nonlocal told
        if not message:  # only a batch is done
            job.check()
            return
        job.log(message)
        told += 1
        job.progress(min(told, PARTS) - 1, PARTS, "parts")

    with Pack.open(job.inputs["gallery"]) as pack:
        amounts = Amounts(spec["images"], spec["database"], spec["queries"])
        chosen, measures = evaluate_on(pack, folder, amounts, device=job.device, seed=spec["seed"], tick=tick)
        found = Evaluation(
            checkpoint=spec["checkpoint"],
            gallery=spec["gallery"],
            weights_sha256=card.weights_sha256,
            gallery_fingerprint=pack.fingerprint,
            part=chosen.part,
            rows=len(chosen.rows),
            too_small=chosen.too_small,
            seen=chosen.seen,
            seed=spec["seed"],
            measures=measures,
            finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )
    evaluations.write(job.output, found)
    job.progress(PARTS, PARTS, "parts")
    job.artefact("evaluation", job.slug, job.output, rows=found.rows)
