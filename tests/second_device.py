"""A second device for machines without one: its tensors hold real values, and refuse what tensors on a GPU refuse.

`elsewhere:0` is a backend of PyTorch in Python. A tensor there wraps one on the CPU, computes with it, and is stricter
than CUDA in one thing: an index must lie on the device too, because one on the CPU makes the device wait.
Import this before the first backward pass of a process: autograd counts its devices once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = "elsewhere:0"
CROSSING = ("aten::_to_copy", "aten::copy_")


class Elsewhere(Tensor):
    """A tensor on the device."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "Elsewhere":
        shown = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(DEVICE),
        )
        shown.inner = inner
        return shown

    @property
    def data(self) -> Tensor:
        """What modules set when they change the layout of a parameter: the wrapped tensor has to follow."""
        return self.detach()

    @data.setter
    def data(self, value: "Elsewhere") -> None:
        torch.Tensor.data.__set__(self, value)
        self.inner = value.inner

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Saved like any other, and loaded with map_location="cpu"."""
        return self.inner.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, _types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return compute(operation, *args, **(kwargs or {}))


def compute(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """Do on the CPU what was asked of the device, and put the result on it again. Raises RuntimeError."""
    if (made_of_others := operation.decompose(*args, **kwargs)) is not NotImplemented:  # whole under inference_mode
        return made_of_others
    name, device = operation._schema.name, kwargs.get("device")
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    here = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere)]
    if name not in CROSSING and len(here) < len(tensors) and any(tensor.dim() for tensor in here):
        raise RuntimeError(f"{name}: expected all tensors to be on the same device")
    if kwargs.get("generator") is not None:
        raise RuntimeError(f"{name}: expected a generator of the device")
    if device is not None:
        kwargs["device"] = torch.device("cpu")
    found = operation(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    if name == "aten::copy_":
        return args[0]
    if device is not None and torch.device(device).type == "cpu":
        return found
    known = {id(tensor.inner): tensor for tensor in tensors if isinstance(tensor, Elsewhere)}  # changed in place
    return tree_map(lambda x: _moved(x, known) if isinstance(x, Tensor) else x, found)


def _moved(found: Tensor, known: Mapping[int, Tensor]) -> Tensor:
    return known[id(found)] if id(found) in known else Elsewhere(found)


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, Elsewhere) else value


backend_registration._setup_privateuseone_for_python_backend(DEVICE.split(":")[0])
torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device=...) is made on the CPU and then moved
FALLBACK = torch.library.Library("_", "IMPL")
FALLBACK.fallback(compute, "PrivateUse1")
