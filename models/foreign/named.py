"""Networks that the user names: `timm:resnet26d`, `torchvision:densenet201`. Free of torch.

The tensors of the file must then have the library's own names; models.foreign.mapping decides whether they fit.
"""

from models.foreign.families.torchvision_names import last_linear
from models.foreign.names import Names
from models.foreign.preparations import photos
from models.foreign.report import Guess, Head
from models.foreign.weights import WeightsCandidate

LIBRARIES = ("timm", "torchvision")


def named(candidate: WeightsCandidate, architecture: str) -> Guess | None:
    """The guess that the file is this very network; None where the text is not `library:name`."""
    library, _, model = architecture.strip().partition(":")
    if library not in LIBRARIES or not model:
        return None
    model = model.partition(".")[0]  # torchvision and timm put the name of the weights behind a dot
    names = Names.of(candidate)
    top = last_linear(names)
    classes = None if top is None else names.rows(top)
    heads: tuple[Head, ...] = ()
    if top is not None:
        layer = top.removesuffix(".weight")
        heads = (Head("classes", classes, names.starting(f"{layer}."), True, "the last layer"),)
    return Guess(
        architecture=library,
        arguments={"model": model, "classes": (classes or 0) if library == "timm" else classes},
        title=f"{model} of {library}",
        score=1.0,
        reason="it was named",
        keys={name: name for name in names.shapes},
        heads=heads,
        preprocess=photos(),
    )
