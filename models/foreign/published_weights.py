"""What torchvision and timm record about weights that they publish: the address, the file's name, the preparation."""

import difflib
import re
from collections.abc import Iterable
from typing import Final

from torchvision import models as torchvision_models
from torchvision.models import get_model_weights, list_models

from models.encoders.timm_network import MISSING, TimmMissing
from models.foreign.preparations import HALF, fixed
from models.foreign.published_names import LibraryWeights, is_library_name
from models.foreign.report import PreprocessChoice

PREPARED: Final = "as the weights ask for"
IN_HALVES: Final = ("googlenet", "inception_v3")  # with weights they bring ImageNet's normalisation to -1..1 themselves
HUB: Final = "https://huggingface.co/{}/resolve/main/{}"


class UnknownWeights(ValueError):
    """The library publishes no such weights; the message names similar ones."""

    code = "unknown_weights"


def published_weights(name: str) -> LibraryWeights:
    """Look up `torchvision:NAME.WEIGHTS` or `timm:NAME.TAG`; without weights or tag, the library's default.

    Raises UnknownWeights, TimmMissing.
    """
    library, _, rest = name.strip().partition(":")
    if not is_library_name(name):
        raise UnknownWeights("weights are named like torchvision:resnet50.IMAGENET1K_V2 or timm:resnet26d.bt_in1k")
    model, _, tag = rest.partition(".")
    return _torchvision(model, tag) if library == "torchvision" else _timm(model, tag)


def _torchvision(model: str, tag: str) -> LibraryWeights:
    known = list_models(module=torchvision_models)
    if model not in known:
        raise UnknownWeights(f"torchvision has no network {model!r}{_near(model, known)}")
    published = get_model_weights(model)
    if tag and tag not in published.__members__:
        named = ", ".join(it.name for it in published)
        raise UnknownWeights(f"there are no weights {tag!r} of {model}, only {named}")
    weights = published[tag or "DEFAULT"]
    shown = weights.transforms()
    (side,), (resize,) = shown.crop_size, shown.resize_size
    mean, std = (HALF, HALF) if model in IN_HALVES else (tuple(shown.mean), tuple(shown.std))
    file = weights.url.rpartition("/")[2]
    digest = re.search(r"-([0-9a-f]{8,64})\.", file)
    whole = f"torchvision:{model}.{weights.name}"
    how = PreprocessChoice(PREPARED, f"the transforms of {whole}", fixed(side, resize=resize, mean=mean, std=std))
    return LibraryWeights(whole, weights.url, file, digest[1] if digest else "", how)


def _timm(model: str, tag: str) -> LibraryWeights:
    try:
        from timm.models import get_pretrained_cfg, list_models, list_pretrained
    except ImportError as error:
        raise TimmMissing(MISSING) from error
    known = list_models()
    if model not in known:
        raise UnknownWeights(f"timm has no network {model!r}{_near(model, known)}")
    asked = f"{model}.{tag}" if tag else model
    try:
        cfg = get_pretrained_cfg(asked, allow_unregistered=False)
    except RuntimeError:  # timm's word for a tag that it does not know
        cfg = None
    if cfg is None or not (cfg.hf_hub_id or cfg.url):
        tags = ", ".join(it.partition(".")[2] for it in list_pretrained(f"{model}.*")[:10])
        raise UnknownWeights(f"there are no weights {tag!r} of {model}, only {tags or 'none'}")
    whole = f"timm:{model}" + (f".{cfg.tag}" if cfg.tag else "")
    if cfg.hf_hub_id:
        repository = cfg.hf_hub_id if "/" in cfg.hf_hub_id else f"timm/{cfg.hf_hub_id}"
        url, file = HUB.format(repository, cfg.hf_hub_filename or "model.safetensors"), whole.partition(":")[2]
        file += ".safetensors" if url.endswith(".safetensors") else ".bin"
    else:
        url, file = cfg.url, cfg.url.rpartition("/")[2]
    side = int(cfg.input_size[-1])
    preparation = fixed(side, resize=int(side / cfg.crop_pct), mean=tuple(cfg.mean), std=tuple(cfg.std))
    choice = PreprocessChoice(PREPARED, f"timm's configuration of {whole}", preparation)
    return LibraryWeights(whole, url, file, "", choice)


def _near(model: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(model, known, n=3)
    return f"; near it are {', '.join(close)}" if close else ""
