"""Files that Tessera wrote: the plain AlexNets of its own tasks, with or without a counting head."""

from collections.abc import Iterator

from models.foreign.names import Names, left_head
from models.foreign.preparations import imagenet, standardised
from models.foreign.report import Guess

CONVS = tuple(f"conv{number}" for number in range(1, 6))


def counting(names: Names) -> Iterator[Guess]:
    """conv1 to conv5 without groups, below `encoder.` or with it stripped; fc6, fc7 and counts below `head.`."""
    root = "encoder." if names.starting("encoder.") else ""
    inside = names.under(root)
    if not (root or names.prefix == "encoder." or names.starting("head.")):
        return  # Caffe's names
    shapes = [inside.shape(f"{conv}.weight") for conv in CONVS]
    if [shape[2:] for shape in shapes] != [(11, 11), (5, 5), (3, 3), (3, 3), (3, 3)]:
        return
    widths = [shape[0] for shape in shapes]
    if [shape[1] for shape in shapes[1:]] != widths[:4] or "bn1.weight" in inside:
        return
    words = "the counting head, which needs the card that it was saved with"
    yield Guess(
        architecture="alexnet",
        arguments={"widths": widths},
        title="Tessera's AlexNet",
        score=0.95,
        reason="conv1 to conv5 without groups, as Tessera names them",
        keys={f"{root}{name}": name for name in inside.shapes if not name.startswith("head.")},
        heads=left_head(names.starting("head."), "counts", names.rows("head.counts.weight"), words),
        preprocess=(standardised(114, 128, "as Tessera's counting networks"), imagenet(224, 256)),
        assumed=("conv1 at stride 4: the weights do not tell",),
    )


FAMILIES = (("Tessera's own weights without their card", "`encoder.conv1.weight`, `head.counts.weight`", counting),)
