"""The tables of docs/checkpoints.md about files that are read or refused, made from the code that does both."""

from collections.abc import Iterable, Sequence
from typing import Final

from models.foreign.families import FAMILIES
from models.foreign.finding import ASIDE, BRANCHES, INNER, WRAPPERS
from models.foreign.formats import FORMATS, REFUSED
from models.foreign.pickles import ALLOWED

CODES: Final = {
    "unsafe_checkpoint": (422, "a pickle asks for anything but tensors and plain values; nothing of it was executed"),
    "not_a_checkpoint": (422, "empty, cut off, damaged, text, a web page, or an archive that unpacks to too much"),
    "bad_safetensors": (422, "a header that is no JSON, or tensors that overlap or lie past the end"),
    "unsupported_format": (415, "a format of the table above that is recognised and not read"),
    "expanded_tensor": (422, "a tensor claims more values than are stored; its data was not touched"),
    "unsupported_dtype": (422, "complex, quantised, sparse or nested tensors"),
    "no_weights": (422, "no dict of tensors is in the file"),
    "too_many_tensors": (422, "more tensors than any network has"),
    "memory_limit": (422, "reading needs more than the reader's own size, twice the file and 1 GB"),
    "time_limit": (422, "reading takes far longer than a file of that size should"),
    "reader_crashed": (422, "the file brought the process down that read it"),
    "not_a_file": (422, "a folder, a pipe or a device"),
    "outside_roots": (403, "a path outside `TESSERA_ROOTS`, also through a link"),
    "no_permission": (403, "the server may not read the file"),
    "input_missing": (404, "there is no file at the path (409 where it went after the inspection)"),
    "checkpoint_changed": (409, "the file is not the one that was inspected, or was written to meanwhile"),
    "which_weights": (422, "to register: the file has several sets of weights and none was chosen"),
    "unknown_candidate": (422, "to register: the file has no weights of that name"),
    "unknown_architecture": (
        422,
        "to register: the tensors cannot be what was named, or nothing is known that has them",
    ),
    "timm_missing": (422, "to register: a network of timm was named, and the extra is not installed"),
    "does_not_fit": (422, "to register: tensors are missing, left over or of another shape; all of them are named"),
    "non_finite_weights": (422, "to register: weights are NaN or infinite, and that was not accepted"),
    "bad_preprocess": (422, "to register: the preparation is impossible or does not fit the network"),
    "unknown_weights": (422, "by name: the library publishes no such weights; what comes near is named"),
    "not_fetched": (
        404,
        "by name: the file is not in the workspace and cannot be had; the answer says which to place where",
    ),
    "not_the_weights": (422, "by name: the file in the workspace has another SHA-256 than its library says"),
    "fetching": (503, "by name: other weights are being fetched"),
    "unreadable": (422, "the operating system cannot read the file"),
    "file_too_large": (413, "more than `TESSERA_CHECKPOINT_MB`, by its size alone"),
    "disk_full": (507, "no room for the upload"),
}


def formats() -> str:
    """What is read."""
    rows = [(name, f"`{endings}`" if endings else "", how) for name, endings, how in FORMATS.values()]
    return _table(("format", "usual endings", "read"), rows)


def refused() -> str:
    """What is recognised and refused, with what to do instead."""
    return _table(("format", "instead"), [(it.name, it.instead) for it in REFUSED.values()])


def allowed() -> str:
    """What a pickle may hold beside tensors, and what becomes of it."""
    return _table(("name in the pickle", "becomes"), [(f"`{name}`", kind) for name, kind in ALLOWED.items()])


def recognised() -> str:
    """The architectures that are told apart, and the names of tensors that do it."""
    return _table(("architecture", "by"), [(family.name, family.clue) for family in FAMILIES])


def codes() -> str:
    """Why a file is refused."""
    return _table(("code", "status", "when"), [(f"`{code}`", str(it[0]), it[1]) for code, it in CODES.items()])


def names() -> str:
    """The names that are looked through or stripped."""
    rows = [
        ("stripped where all names of a dict begin so", WRAPPERS),
        ("a network of its own inside a dict", BRANCHES),
        ("stripped inside names", INNER),
        ("not looked into", ASIDE),
    ]
    return _table(("what", "names"), [(what, ", ".join(f"`{name}`" for name in found)) for what, found in rows])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
