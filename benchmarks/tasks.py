"""Train every pretext task on the same photos under one budget, probe each, and print the results as Markdown tables.

python -m benchmarks.tasks run WORKSPACE --gallery photos-train --target photos-eval
python -m benchmarks.tasks table WORKSPACE --gallery photos-train --target photos-eval

Both galleries must have been imported into the workspace. Every step is an ordinary job of the queue: one that was
stopped continues, and one that is finished is not repeated. The tables are made from what the jobs stored.
"""

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.console.foreground import follow, opened, supervised
from app.jobs.records import JobRecord
from app.services.results.service import MeasuredRow, Results
from app.services.services import Services
from app.settings import Settings
from models.card import Card, read_card
from models.probes.results import HOWS, How, ProbeScore
from models.tasks.scoring import GAIN, SIGMAS, five_sigma

# Steps that take about three minutes of one core in bf16, forward and backward; batches are those of the recipe.
STEPS: Mapping[str, int] = {
    "rotation": 490,
    "context_prediction": 460,
    "colorization": 690,
    "split_brain": 1000,
    "jigsaw": 450,
    "counting": 207,
    "supervised": 1800,
    "jigsaw_pp": 480,
    "deepcluster": 540,
    "inpainting": 560,
}
RECIPES: Mapping[str, str] = {"counting": "sample"}  # all others use small
STUDENT_STEPS = 1100
CLUSTERS = 100
AT_RANDOM = "drawn at random"
TEACHER: Mapping[str, str] = {"task": "jigsaw_pp", "recipe": "teacher"}  # VGG16, with a budget of its own
# Chains of knowledge transfer: the name of the student, and what its labels come from.
CHAINS: Mapping[str, Mapping[str, Any]] = {
    "of the teacher": {"checkpoint": "teacher"},
    "at random": {"checkpoint": "hog", "method": "random"},
    "of HOG": {"checkpoint": "hog"},
    "of colours": {"checkpoint": "colour-histogram"},
}
PROBE: Mapping[str, Any] = {"train": 1000, "test": 1000, "views": 1, "steps": 100}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("act", choices=("run", "table"))
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--gallery", default="photos-train")
    parser.add_argument("--target", default="photos-eval")
    parser.add_argument("--task", action="append", choices=STEPS, help="all where none is named")
    parser.add_argument("--share", type=float, default=1.0, help="of the steps, for a quick look")
    parser.add_argument("--parts", choices=("all", "tasks", "chains"), default="all")
    options = parser.parse_args()
    with opened(Settings(workspace=options.workspace)) as services:
        if options.act == "table":
            print("\n".join(tables(services, options.gallery, options.target)))
            return
        with supervised(services.settings):
            for name, job in submitted(services, options):
                ended = follow(services, job.id, lambda _: None)
                print(f"{name}: job {ended.id} ({ended.kind}) is {ended.state}", flush=True)


def submitted(services: Services, options: argparse.Namespace) -> Iterator[tuple[str, JobRecord]]:
    """All jobs in turn: each training and the probe of its checkpoint, then the chains of knowledge transfer."""
    if options.parts != "chains":
        for task in options.task or STEPS:
            config = {"steps": max(1, round(STEPS[task] * options.share))}
            job = training(services, options.gallery, task, RECIPES.get(task, "small"), config)
            yield task, job
            assert job.output is not None
            yield task, probing(services, job.output.slug, options.target)
    if options.parts != "tasks":
        yield from chains(services, options)


def chains(services: Services, options: argparse.Namespace) -> Iterator[tuple[str, JobRecord]]:
    """The jobs of the teacher, then those of its student and of the controls' students, all with the same budget."""
    teacher = training(services, options.gallery, **TEACHER, config={})
    yield "teacher", teacher
    assert teacher.output is not None
    student = {"config": {"steps": max(1, round(STUDENT_STEPS * options.share)), "precision": "bf16"}}
    places = {"cluster_gallery": options.gallery, "target_gallery": options.gallery, "probe": options.target}
    for name, begin in CHAINS.items():
        begun = {**begin, "checkpoint": teacher.output.slug} if begin["checkpoint"] == "teacher" else begin
        spec = {**begun, "student": student, **places, "k": CLUSTERS, "probe_spec": dict(PROBE)}
        chain, _ = services.chains.start(spec)
        yield from ((name, link.job) for link in chain.links if link.job is not None)


def training(services: Services, gallery: str, task: str, recipe: str, config: Mapping[str, Any]) -> JobRecord:
    """The job that trains a task in bf16."""
    spec = {"gallery": gallery, "task": task, "recipe": recipe, "config": {**config, "precision": "bf16"}}
    return services.jobs.submit("train", spec)[0]


def probing(services: Services, checkpoint: str, target: str) -> JobRecord:
    """The job that probes every layer of a checkpoint."""
    return services.jobs.submit("probe", {"checkpoint": checkpoint, "gallery": target, **PROBE})[0]


def tables(services: Services, gallery: str, target: str) -> Iterator[str]:
    """Tables of how well each task learned its puzzle, of what its layers know of classes, and of the students."""
    cards = [read_card(record.folder) for record in services.checkpoints.list(limit=200).checkpoints]
    trained = [card for card in cards if card.task and card.provenance.get("gallery") == gallery]
    yield from puzzles(sorted(trained, key=lambda card: card.name))
    found = services.results.table(target)
    if found is None:
        return
    yield from probes(services, found)
    yield ""
    yield from students(services, [card for card in trained if "teacher" in card.provenance], found)


def puzzles(cards: Sequence[Card]) -> Iterator[str]:
    """The table of puzzles on held-out images, beside what knowing nothing gives.

    `sigmas` is the difference between the two in standard errors.
    """
    yield "| checkpoint | task | steps | seconds | held out | knowing nothing | n | sigmas |"
    yield "|---|---|---|---|---|---|---|---|"
    for card in cards:
        name, figure, nothing, bar = pretext(card)
        far = SIGMAS * (float(figure["value"]) - nothing) / (bar - nothing)
        spent = f"{card.provenance['steps']} | {round(float(card.provenance['seconds']))}"
        says = f"{name} {figure['value']:.3g} {interval(figure['interval'])}"
        mark = f"{far:.1f}" if far >= SIGMAS else f"**{far:.1f}**"
        yield f"| {card.name} | {card.task} | {spent} | {says} | {nothing:.3g} | {figure['n']} | {mark} |"
    yield ""


def pretext(card: Card) -> tuple[str, Mapping[str, Any], float, float]:
    """How well a task learned its puzzle: its measure, what knowing nothing gives, and the value five sigma from that.

    The measure is a gain on the same images if the task has one, else the share of puzzles that are solved. For
    counting it is the loss, which is the whole margin for a network that counts nothing. For groups that a network made
    itself, knowing nothing means the group of another image.
    """
    mine = card.measures["network"]
    if card.task == "counting":
        margin = float(card.config["margin"])
        return "loss", mine["loss"], margin, margin - SIGMAS * error(mine["loss"])
    if "same_group" in mine:
        figure, other = mine["same_group"], mine["same_group_of_another"]
        nothing = float(other["value"])
        return "same group", figure, nothing, nothing + SIGMAS * math.hypot(error(figure), error(other))
    for name in (name for name in mine if name.startswith(GAIN)):
        return name, mine[name], 0.0, SIGMAS * error(mine[name])
    nothing = float(card.measures["chance"]["accuracy"]["value"])
    return "accuracy", mine["accuracy"], nothing, five_sigma(nothing, mine["accuracy"]["n"])


def error(figure: Mapping[str, Any]) -> float:
    """The standard error of a figure, from its 95 % interval."""
    low, high = figure["interval"]
    return max(float(high - low) / 3.92, 1e-12)


def probes(services: Services, found: Results) -> Iterator[str]:
    """For every row, the best layer by each classifier, and its difference from the same network untrained."""
    first = found.rows[0].probe
    yield f"Top-1 in percent over {first.tested} images of {found.choice.gallery}, after {first.learned} to learn from."
    yield ""
    yield "| | linear, best layer | spread | less untrained | 20 neighbours, best layer | less untrained |"
    yield "|---|---|---|---|---|---|"
    for row in found.rows:
        cells = [cell for how in HOWS for cell in scores(services, found, row, how)]
        yield f"| {called(found, row)} | {' | '.join(cells)} |"
    yield ""
    yield from layers(found)


def called(found: Results, row: MeasuredRow) -> str:
    """The name of a row; an untrained network is named with the checkpoints that began as it."""
    twins = found.twins(row) if row.control else []
    return f"{row.probe.name}, before {', '.join(twins)}" if twins else row.probe.name


def scores(services: Services, found: Results, row: MeasuredRow, how: How) -> list[str]:
    best, layer = row.best_score(how), row.best(how)
    assert best is not None
    told = [f"{percent(best)} {'' if row.whole else layer}".strip()]
    if how == "linear":
        told.append("" if best.spread is None else f"{100 * best.spread:.1f}")
    return [*told, beyond(services, found, row, how)]


def beyond(services: Services, found: Results, row: MeasuredRow, how: How) -> str:
    """The best layer minus the best layer of the same architecture untrained, on the same images.

    A difference beyond chance is bold.
    """
    return difference(services, found, row.probe.row, found.untrained(row), how)


def difference(services: Services, found: Results, name: str, other: str | None, how: How) -> str:
    """The best layer of one row minus the best of another; empty unless both are in the table."""
    if other in (None, name) or not {name, other} <= {row.probe.row for row in found.rows}:
        return ""
    assert other is not None
    line = services.results.compare(found, name, other).best[how]
    edges = (100 * line.estimate.low, 100 * line.estimate.high)
    text = f"{100 * line.estimate.value:+.1f} {interval(edges, 1)}"
    return f"**{text}**" if line.beyond_chance else text


def layers(found: Results) -> Iterator[str]:
    """The table of every layer of every row, by the linear classifier."""
    columns = found.columns["linear"]
    yield f"| linear, by layer | {' | '.join(column.layer for column in columns)} |"
    yield f"|---{'|---' * len(columns)}|"
    for row in found.rows:
        if not row.whole:
            cells = ["" if (score := row.score(column)) is None else f"{100 * score.value:.1f}" for column in columns]
            yield f"| {called(found, row)} | {' | '.join(cells)} |"


def students(services: Services, cards: Sequence[Card], found: Results) -> Iterator[str]:
    """The table of students: their labels, how well they learned them, and how far they are beyond random labels."""
    control = next((card.name for card in cards if card.provenance["labels"] == AT_RANDOM), None)
    yield "| student | labels | largest | purity, AMI | held out | times the largest | less at random |"
    yield "|---|---|---|---|---|---|---|"
    for card in cards:
        told, figure = card.provenance, card.measures["network"]["accuracy"]
        measured = services.clusterings.open(told["clustering"]).info.against_labels
        pure = "" if measured is None else f"{measured['purity']:.3f}, {measured['ami']:.3f}"
        labels = AT_RANDOM if told["labels"] == AT_RANDOM else f"{told['teacher']}, {told['teacher_layer']}"
        right = f"{figure['value']:.3f} {interval(figure['interval'])} | {figure['value'] / told['majority']:.1f}"
        beyond = difference(services, found, card.name, control, "linear")
        yield f"| {card.name} | {labels} | {told['majority']:.3f} | {pure} | {right} | {beyond} |"


def percent(score: ProbeScore) -> str:
    return f"{100 * score.value:.1f} {interval([100 * score.low, 100 * score.high], 1)}"


def interval(edges: Sequence[float], digits: int = 3) -> str:
    low, high = (f"{edge:.{digits}f}" if digits == 1 else f"{edge:.{digits}g}" for edge in edges)
    return f"[{low}, {high}]"


if __name__ == "__main__":
    main()
