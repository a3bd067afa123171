"""Find the weights in the nested values of a file, and the wrappers that their names carry.

Every dict of tensors is a candidate. Wrappers that all names share (`module.` of DataParallel, `_orig_mod.` of compile)
are stripped. Where one dict holds several networks (MoCo's `encoder_q` and `encoder_k`, a `backbone` beside a
`projector`) each is a candidate, and the other tensors of the dict are recorded as lying beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from models.foreign.weights import UnreadableWeights

WRAPPERS: Final = (  # stripped where every name of a dict begins so
    "module", "_orig_mod", "_fsdp_wrapped_module", "model", "net", "network", "backbone", "encoder", "base_encoder",
    "momentum_encoder", "encoder_q", "encoder_k", "base_model", "trunk", "_feature_blocks", "feature_extractor",
    "student", "teacher", "online_network", "target_network", "online_encoder", "target_encoder", "visual",
    "_model", "convnet",
)  # fmt: skip
BRANCHES: Final = (  # one network among others in the same dict
    "encoder_q", "encoder_k", "base_encoder", "momentum_encoder", "backbone", "momentum_backbone", "backbone_momentum",
    "student", "teacher", "online_network", "target_network", "online_encoder", "target_encoder", "online", "target",
    "encoder", "trunk", "visual", "model", "model_ema", "ema", "ema_model", "module", "net", "network", "convnet",
    "student_backbone", "teacher_backbone", "feature_extractor", "_feature_blocks", "base_model", "student_model",
    "teacher_model", "momentum_network", "key_encoder", "query_encoder", "encoder_momentum", "resnet",
)  # fmt: skip
INNER: Final = ("module", "_orig_mod", "_fsdp_wrapped_module")  # stripped inside names as well
ASIDE: Final = (  # what a training run keeps beside the weights
    "optimizer", "optimizers", "optim", "optimizer_state", "optimizer_states", "optimizer_state_dict", "opt",
    "scheduler", "lr_scheduler", "lr_schedulers", "scaler", "grad_scaler", "amp", "callbacks", "loops", "rng_state",
    "rng_states", "cuda_rng_state", "hparams", "hyper_parameters", "args", "config",
)  # fmt: skip
CONTAINERS: Final = frozenset(
    {*WRAPPERS, *BRANCHES, *ASIDE, "state_dict", "model_state_dict", "model_state", "weights", "params", "parameters"}
    | {"state_dict_ema", "encoder_state_dict", "classy_state_dict", "heads", "head", "dino_loss", "loss", "criterion"}
    | {
        "net_state_dict",
        "state",
        "generator",
        "discriminator",
        "predictor",
        "projector",
        "classifier",
        "queue",
        "extra",
    }
)
FLAT: Final = "weights"  # the name of weights that lie at the top of a file
MAX_DEPTH: Final = 12
MAX_TENSORS: Final = 50_000
MAX_KEY: Final = 500
MAX_LAYER: Final = 8  # tensors of one layer, where each layer has a dict of its own
ROOT: Final = ()

Path = tuple[str, ...]


@dataclass(frozen=True)
class FoundWeights:
    """A candidate with its leaves, as `Candidate` describes it."""

    name: str
    prefix: str
    tensors: Mapping[str, Any]
    inner: tuple[str, ...] = ()
    beside: Mapping[str, Any] = field(default_factory=dict)


def is_leaf(value: object) -> bool:
    """Whether the value is one array of numbers, of whatever library."""
    return isinstance(getattr(value, "shape", None), tuple)


def find(content: Any) -> tuple[FoundWeights, ...]:
    """The candidates of a file, those that see images first, then the larger ones. Raises UnreadableWeights."""
    if is_leaf(content):
        content = {"array": content}
    found: list[FoundWeights] = []
    for path, tensors in _sets(content):
        found += _split(path, tensors)
    if not found:
        raise UnreadableWeights(
            "no_weights", "The file holds no dict of tensors. Save a state_dict: torch.save(model.state_dict(), path)."
        )
    ranked = sorted(found, key=lambda it: (not _sees_images(it.tensors), -_elements(it.tensors)))
    return tuple(_distinct(ranked))


def _sets(content: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every dict of tensors with its place; what loops back or lies too deep is left out."""
    todo: list[tuple[Path, Any]] = [(ROOT, content)]
    seen: set[int] = set()
    count = 0
    while todo:
        path, value = todo.pop(0)
        if len(path) > MAX_DEPTH or id(value) in seen:
            continue
        seen.add(id(value))
        items = _children(value)
        tensors = {_text(key): item for key, item in items if is_leaf(item) and not isinstance(key, int)}
        if (layered := _layered(items)) and not tensors:
            tensors, items = layered, []
        if tensors:
            count += len(tensors)
            if count > MAX_TENSORS:
                raise UnreadableWeights("too_many_tensors", f"The file holds more than {MAX_TENSORS:,} tensors.")
            yield path, tensors
        todo += [((*path, _text(key)), item) for key, item in items if _nested(item) and _text(key) not in ASIDE]


def _children(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return [] if "param_groups" in value else list(value.items())
    if isinstance(value, list | tuple) and len(value) <= 64:
        return list(enumerate(value))
    return []


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple) and not is_leaf(value)


def _layered(items: Sequence[tuple[Any, Any]]) -> dict[str, Any]:
    """{"conv1": {"weight": ..., "bias": ...}, ...} as one flat dict; empty where the items are something else."""
    if len(items) < 2 or any(str(key) in CONTAINERS or isinstance(key, int) for key, _ in items):
        return {}
    flat: dict[str, Any] = {}
    for key, item in items:
        inner = _children(item)
        leaves = {f"{_text(key)}.{_text(name)}": leaf for name, leaf in inner if is_leaf(leaf)}
        if not leaves or len(leaves) > MAX_LAYER or any("." in str(name) for name, _ in inner):
            return {}
        flat.update(leaves)
    return flat


def _split(path: Path, tensors: dict[str, Any]) -> list[FoundWeights]:
    """The networks of one dict, each without its wrappers."""
    prefix, own = _unwrapped(tensors)
    branches = _branches(own)
    if not branches:
        return [_clean(FoundWeights("/".join(path) or FLAT, prefix, own))]
    found: list[FoundWeights] = []
    for branch in branches:
        inside = {key.removeprefix(f"{branch}."): leaf for key, leaf in own.items() if key.startswith(f"{branch}.")}
        outside = {key: leaf for key, leaf in own.items() if not key.startswith(f"{branch}.")}
        for deeper in _split((*path, branch), inside):
            beside = {f"{branch}.{key}": leaf for key, leaf in deeper.beside.items()} | outside
            found.append(replace(deeper, prefix=f"{prefix}{branch}.{deeper.prefix}", beside=beside))
    return found


def _unwrapped(tensors: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What all names begin with, as far as it is a wrapper, and the tensors without it."""
    prefix = ""
    while True:
        firsts = {key.partition(".")[0] for key in tensors}
        first = next(iter(firsts))
        if len(firsts) != 1 or first not in WRAPPERS or any(key == first for key in tensors):
            return prefix, tensors
        prefix += f"{first}."
        tensors = {key.removeprefix(f"{first}."): leaf for key, leaf in tensors.items()}


def _branches(tensors: Mapping[str, Any]) -> list[str]:
    """First parts of names that hold a network of their own: a first layer for images, which nothing outside has."""
    firsts = dict.fromkeys(key.partition(".")[0] for key in tensors if "." in key)
    known = [first for first in firsts if first in BRANCHES]
    outside = {
        key: leaf
        for key, leaf in tensors.items()
        if key.partition(".")[0] not in known and "decoder" not in key and "generator" not in key
    }
    if not known or _sees_images(outside):
        return []
    return [name for name in known if _sees_images({k: v for k, v in tensors.items() if k.startswith(f"{name}.")})]


def _sees_images(tensors: Mapping[str, Any]) -> bool:
    """Whether there is a filter bank over one to four channels that is not depthwise: gray, ab, RGB, RGB-D."""
    return any(
        len(leaf.shape) == 4 and (leaf.shape[1] in (2, 3, 4) or (leaf.shape[1] == 1 and "weight" in key and first == 0))
        for first, (key, leaf) in enumerate(tensors.items())
    )


def _clean(found: FoundWeights) -> FoundWeights:
    """Without the wrappers inside names, where that does not make two names one."""
    inner: dict[str, None] = {}
    cleaned: dict[str, Any] = {}
    for key, leaf in found.tensors.items():
        parts = key.split(".")
        kept = [part for place, part in enumerate(parts) if place == 0 or part not in INNER]
        cleaned[".".join(kept)] = leaf
        for place, part in enumerate(parts):
            if place and part in INNER:
                inner[".".join(parts[: place + 1]) + "."] = None
    if len(cleaned) != len(found.tensors) or not inner:
        return found
    return replace(found, tensors=cleaned, inner=tuple(list(inner)[:20]))


def _distinct(found: Sequence[FoundWeights]) -> Iterator[FoundWeights]:
    """Names by which each can be chosen."""
    taken: set[str] = set()
    for it in found:
        name, again = it.name[:200], 1
        while name in taken:
            again += 1
            name = f"{it.name[:200]}#{again}"
        taken.add(name)
        yield replace(it, name=name)


def _elements(tensors: Mapping[str, Any]) -> int:
    total = 0
    for leaf in tensors.values():
        product = 1
        for length in leaf.shape:
            product *= length
        total += product
    return total


def _text(key: object) -> str:
    """A name as text that can be written anywhere: no lone surrogates, no control characters, bounded."""
    text = str(key)[:MAX_KEY].encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isprintable() else "?" for character in text)
