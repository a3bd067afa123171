"""Break-it labs: trainings that differ from a sound one in one setting, and what that is expected to do."""

from dataclasses import dataclass

TASK, SOUND = "counting", "healthy"


@dataclass(frozen=True)
class Lab:
    """One way to break the task: the recipe that does it, what is wrong with it, and what should happen."""

    recipe: str
    title: str
    broken: str
    expect: str


LABS = (
    Lab(
        "collapse",
        "A learning rate three times too high",
        "Adam at 3e-4 instead of 1e-4 from the same start: the first steps throw the counts to zero, and behind the "
        "last ReLU there is no gradient that brings them back.",
        "Within about 100 steps the loss stands at 10.000: no error in the equation, and every pair of images costs "
        "the whole margin.",
    ),
    Lab(
        "no-margin",
        "Nothing keeps images apart",
        "M = 0 takes the contrastive term away. φ = 0 then solves the task perfectly.",
        "The training loss falls to nearly nothing within a few dozen steps, which looks like success; by the paper's "
        "loss, with its margin, held-out images cost 10.",
    ),
    Lab(
        "per-unit-hinge",
        "The margin taken unit by unit",
        "max(0, M − d²) for every unit, added up, instead of once for the whole vector: a common slip. Each of the "
        "256 units has to differ by √10 between any two images.",
        "The push begins near 2,560 instead of 10 and drowns the equation: the pull stays tens of times above that of "
        "the sound run, while many units stay alive.",
    ),
    Lab(
        "one-kernel",
        "One way of downscaling",
        "D always uses the area kernel. That leaves a trace by which Dx can be told from the tiles, and counted.",
        "The error grows with kernels that were never seen, compared with area. This takes long runs: after 300 steps "
        "expect little, and compare the last columns.",
    ),
)


def lab(recipe: str) -> Lab | None:
    """The lab of that recipe, if it is one."""
    return next((known for known in LABS if known.recipe == recipe), None)
