"""What a pickle would import if it were loaded; it is only listed here, nothing is loaded and nothing is executed."""

import io
import pickletools
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from models.foreign.opening import OpenFile
from models.foreign.weights import UnreadableWeights

MAX_PICKLE: Final = 64 << 20  # bytes of one pickle without its tensors
MAX_NAMES: Final = 200
SHOWN: Final = 5

# What PyTorch's own restricted reader takes (its list decides, this one only words the refusal) ...
_TORCH: Final = (
    "torch._utils._rebuild_",
    "torch._tensor._rebuild_",
    "torch.storage.",
    "torch.serialization._get_layout",
)
_TORCH_NAMES: Final = {"torch.Size", "torch.Tensor", "torch.device", "torch.nn.parameter.Parameter"}
_PLAIN: Final = {
    "collections.OrderedDict",
    "collections.Counter",
    "_codecs.encode",
    "builtins.bytearray",
    "builtins.set",
    "builtins.complex",
}
PATHS: Final = ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")
PATH_MODULES: Final = ("pathlib", "pathlib._local")  # the second is how Python 3.13 writes them
# ... and what people keep beside their weights, which becomes plain values (see `stand_ins`).
ALLOWED: Final = {
    "argparse.Namespace": "command-line arguments",
    "types.SimpleNamespace": "settings",
    "collections.defaultdict": "dict",
    "__builtin__.set": "set, as Python 2 wrote it",
    **{f"{module}.{name}": "path, as text" for module in PATH_MODULES for name in PATHS},
    "numpy.dtype": "type of numbers",
    "numpy.ndarray": "array of numbers",
    "numpy.core.multiarray.scalar": "number",
    "numpy._core.multiarray.scalar": "number",
    "numpy.core.multiarray._reconstruct": "array of numbers",
    "numpy._core.multiarray._reconstruct": "array of numbers",
    "pytorch_lightning.utilities.parsing.AttributeDict": "hyper-parameters",
    "lightning.fabric.utilities.data.AttributeDict": "hyper-parameters",
    "lightning_fabric.utilities.data.AttributeDict": "hyper-parameters",
}


def check_globals(file: OpenFile, *, zipped: bool) -> None:
    """Refuse a file that asks for anything but tensors and plain values, naming what it asks for.

    Raises UnreadableWeights `unsafe_checkpoint`. Damaged pickles pass: the reader refuses them.
    """
    unknown: list[str] = []
    for pickle in _zipped(file) if zipped else _bare(file):
        unknown += [name for name in _globals(pickle) if not _known(name) and name not in unknown]
    if unknown:
        raise unsafe(unknown)


def unsafe(names: list[str]) -> UnreadableWeights:
    """The refusal of a file that would run code."""
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    asked = f" It asks for {shown}." if names else ""
    return UnreadableWeights(
        "unsafe_checkpoint",
        "This file contains code and was not opened. Save a state_dict or safetensors: "
        f"torch.save(model.state_dict(), path).{asked}",
        {"types": names[:MAX_NAMES]},
    )


def _known(name: str) -> bool:
    if name in _PLAIN or name in ALLOWED or name in _TORCH_NAMES or name.startswith(_TORCH):
        return True
    parts = name.split(".")
    if parts[0] != "torch":
        return False
    # torch.FloatStorage, torch.cuda.HalfStorage, torch.float16, torch.per_tensor_affine, torch.sparse.FloatTensor
    last = parts[-1]
    return len(parts) <= 3 and (last.endswith(("Storage", "Tensor")) or (len(parts) == 2 and last.islower()))


def _zipped(file: OpenFile) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(file.path) as archive:
            for entry in archive.infolist():
                if entry.filename.partition("/")[2] == "data.pkl":
                    if entry.file_size > MAX_PICKLE:
                        raise UnreadableWeights(
                            "not_a_checkpoint", "What lies beside the tensors is too large to read."
                        )
                    yield archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, UnicodeDecodeError):
        raise UnreadableWeights("not_a_checkpoint", "The archive is damaged or was cut off; fetch it again.") from None


def _bare(file: OpenFile) -> Iterator[bytes]:
    """The pickles that follow each other at the beginning: a legacy file has five before its storages."""
    place = 0
    for _ in range(5):
        stream = io.BytesIO(file.head(MAX_PICKLE if place == 0 else MAX_PICKLE // 4, place))
        length = _length(stream)
        yield stream.getbuffer()[:length].tobytes()
        if length == 0:
            return
        place += length


def _length(stream: io.BytesIO) -> int:
    """The bytes up to the end of the first pickle; all of them where it has none, 0 where it is damaged."""
    try:
        for operation, _, place in pickletools.genops(stream):
            if operation.name == "STOP" and place is not None:
                return place + 1
    except Exception:  # pickletools raises many kinds; a damaged pickle is the reader's to refuse
        return 0
    return 0


STRINGS: Final = frozenset(
    ("STRING", "SHORT_BINSTRING", "BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
)


class _Strings:
    """The stack and the memo of a pickle as far as they are strings: what STACK_GLOBAL takes its names from."""

    _MARK: Final = object()

    def __init__(self) -> None:
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}

    def last_two(self) -> list[str | None]:
        """The two values on top of the stack, None for what is no string."""
        return [value if isinstance(value, str) else None for value in ([None, None, *self._stack])[-2:]]

    def apply(self, operation: pickletools.OpcodeInfo, argument: object) -> None:
        """Do to the stack and the memo what the operation does."""
        top = self._stack[-1] if self._stack else None
        match operation.name:
            case "MEMOIZE":
                self._memo[len(self._memo)] = top
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[int(str(argument))] = top
            case "GET" | "BINGET" | "LONG_BINGET":
                self._stack.append(self._memo.get(int(str(argument))))
            case "MARK":
                self._stack.append(self._MARK)
            case "DUP":
                self._stack.append(top)
            case _:
                self._pop(operation)
                pushed = argument if operation.name in STRINGS else None
                self._stack += [pushed] * len(operation.stack_after)

    def _pop(self, operation: pickletools.OpcodeInfo) -> None:
        takes = operation.stack_before
        if pickletools.markobject in takes:
            while self._stack and self._stack.pop() is not self._MARK:
                pass
            takes = takes[: takes.index(pickletools.markobject)]
        del self._stack[max(0, len(self._stack) - len(takes)) :]


def _globals(pickle: bytes) -> list[str]:
    """Dotted names in the order they are asked for, as far as the pickle can be read."""
    found: dict[str, None] = {}
    stack = _Strings()
    try:
        for operation, argument, _ in pickletools.genops(pickle):
            if operation.name in ("GLOBAL", "INST"):
                found[str(argument).replace(" ", ".", 1)] = None
            elif operation.name == "STACK_GLOBAL":
                found[".".join(part or "?" for part in stack.last_two())] = None
            elif operation.name in ("EXT1", "EXT2", "EXT4"):
                found[f"extension {argument}"] = None
            stack.apply(operation, argument)
            if len(found) > MAX_NAMES:
                break
    except Exception:  # as above
        pass
    return [_printable(name) for name in found]


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name[:80])
