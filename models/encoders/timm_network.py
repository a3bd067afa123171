"""Networks of timm by their names, where the optional package is installed."""

from typing import Any

from torch import nn

MISSING = "this network needs timm: uv pip install -e '.[timm]', then start Tessera again"


class TimmMissing(ValueError):
    """The optional package timm is not installed; the message says how to get it."""

    code = "timm_missing"


def timm_network(*, model: str, classes: int = 0, **options: Any) -> nn.Module:
    """timm's network of that name, without weights; `classes` 0 leaves the classifier out. Raises TimmMissing."""
    try:
        import timm
    except ImportError as error:
        raise TimmMissing(MISSING) from error
    network: nn.Module = timm.create_model(model, pretrained=False, num_classes=classes, **options)
    return network
