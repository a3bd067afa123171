"""Harmless replacements for the Python objects that people store beside their weights: none of their code runs."""

import argparse
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from models.foreign.pickles import PATH_MODULES, PATHS

NUMBERS: Final = frozenset(
    f"{kind}{size}"
    for kind, sizes in {"f": "248", "i": "1248", "u": "1248", "c": ("8", "16")}.items()
    for size in sizes
) | {"b1"}
MAX_DIMS: Final = 32


class NumberType:
    """numpy.dtype: only types of numbers, and bytes or text of a fixed length."""

    def __init__(self, code: str = "f4", *_: object) -> None:
        self.code = str(code)
        self.order: Literal["<", ">"] = "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if len(state) > 1 and state[1] == ">" else "<"

    def real(self) -> "np.dtype[Any]":
        if self.code not in NUMBERS:
            raise ValueError(f"{self.code[:20]} is not a type of numbers")
        return np.dtype(self.code).newbyteorder(self.order)


class Array:
    """numpy.ndarray, whose values are bytes of the file."""

    values: NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return () if self.values is None else self.values.shape

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, kind, column_major, data = state
        if not isinstance(kind, NumberType) or not isinstance(data, bytes) or len(shape) > MAX_DIMS:
            raise ValueError("an array of Python objects")
        values = np.frombuffer(data, kind.real())
        self.values = values.reshape(tuple(int(length) for length in shape), order="F" if column_major else "C")


def empty_array(*_: object) -> Array:
    """numpy's _reconstruct: the values follow."""
    return Array()


def number(kind: NumberType, data: bytes = b"") -> int | float | complex | bool | None:
    """numpy's scalar, as a number of Python."""
    if not isinstance(kind, NumberType) or not isinstance(data, bytes) or kind.code not in NUMBERS:
        return None
    found = np.frombuffer(data, kind.real())
    return found[0].item() if len(found) == 1 else None


def empty_dict(*_: object) -> OrderedDict[Any, Any]:
    """defaultdict, without what it would call."""
    return OrderedDict()


def values(items: Any = ()) -> list[Any]:
    """set, as a list."""
    return list(items)


def path_text(*parts: object) -> str:
    """A path of pathlib, as text."""
    return "/".join(str(part) for part in parts)


STAND_INS: Final[dict[str, Callable[..., Any]]] = {
    "argparse.Namespace": argparse.Namespace,
    "types.SimpleNamespace": types.SimpleNamespace,
    "collections.defaultdict": empty_dict,
    "__builtin__.set": values,
    **{f"{module}.{name}": path_text for module in PATH_MODULES for name in PATHS},
    "numpy.dtype": NumberType,
    "numpy.ndarray": Array,
    "numpy.core.multiarray.scalar": number,
    "numpy._core.multiarray.scalar": number,
    "numpy.core.multiarray._reconstruct": empty_array,
    "numpy._core.multiarray._reconstruct": empty_array,
    "pytorch_lightning.utilities.parsing.AttributeDict": OrderedDict,
    "lightning.fabric.utilities.data.AttributeDict": OrderedDict,
    "lightning_fabric.utilities.data.AttributeDict": OrderedDict,
}
