"""Files that Tessera wrote: the plain AlexNets of its own tasks, with or without a counting head."""

from collections.abc import Iterator

from models.foreign.names import Names, left_head
from models.foreign.preparations import imagenet, standardised
from models.foreign.report import Guess

CONVS = tuple(f"conv{number}" for number in range(1, 6))


def counting(names: Names) -> Iterator[Guess]:
    """conv1 to conv5 without groups below `encoder.`, fc6, fc7 and counts below `head.`."""
    inside = names.under("encoder.")
    if not inside.shapes or any(f"{conv}.weight" not in inside for conv in CONVS):
        return
    shapes = [inside.shape(f"{conv}.weight") for conv in CONVS]
    widths = [shape[0] for shape in shapes]
    if [shape[1] for shape in shapes[1:]] != widths[:4]:
        return
    heads = left_head(
        names.starting("head."),
        "counts",
        names.rows("head.counts.weight"),
        "the counting head, whose crop is not known",
    )
    yield Guess(
        architecture="alexnet",
        arguments={"widths": widths},
        title="Tessera's AlexNet",
        score=0.9,
        reason="conv1 to conv5 without groups, below encoder.",
        keys={f"encoder.{name}": name for name in inside.shapes},
        heads=heads,
        preprocess=(
            standardised(114, 128, "as Tessera's counting networks"),
            imagenet(224, 256),
        ),
        assumed=("conv1 at stride 4: the weights do not tell",),
    )


FAMILIES = (("Tessera's own weights without their card", "`encoder.conv1.weight`, `head.counts.weight`", counting),)
