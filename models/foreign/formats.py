"""Recognise the format of a file by its bytes, never by its name; and say what to do about formats that are refused.

The tables FORMATS and REFUSED are those that docs/checkpoints.md shows.
"""

import zipfile
from dataclasses import dataclass
from typing import Final, Literal

from models.foreign import caffe
from models.foreign.opening import OpenFile
from models.foreign.weights import UnreadableWeights

Format = Literal["safetensors", "torch-zip", "torch-legacy", "pickle", "npz", "npy", "caffemodel"]

FORMATS: Final[dict[Format, tuple[str, str, str]]] = {  # name, usual endings, how it is read
    "safetensors": ("safetensors", ".safetensors", "mapped into memory"),
    "torch-zip": (
        "PyTorch, since 1.6",
        ".pth .pth.tar .pt .torch .ckpt .bin .th",
        "`torch.load(weights_only=True)`, mapped into memory",
    ),
    "torch-legacy": (
        "PyTorch, before 1.6",
        ".pth .pth.tar .pt .torch .ckpt .bin .th",
        "`torch.load(weights_only=True)`",
    ),
    "npz": ("NumPy archive", ".npz", "without pickle"),
    "npy": ("NumPy array", ".npy", "without pickle"),
    "caffemodel": ("Caffe", ".caffemodel", "our own parser, V1 and V2 layers; no Caffe needed"),
}


@dataclass(frozen=True)
class Refused:
    """A format that is recognised and not read."""

    name: str
    instead: str
    code: str = "unsupported_format"


REFUSED: Final[dict[str, Refused]] = {
    "torchscript": Refused(
        "TorchScript archive",
        "It holds a program. Load it with torch.jit.load where you trust it and save its state_dict().",
    ),
    "pt2": Refused(
        "exported program (.pt2)",
        "It holds a program. Load it with torch.export.load where you trust it and save its state_dict.",
    ),
    "torch-tar": Refused(
        "PyTorch file of before 0.1.10 (tar)",
        "It cannot be read safely. Load it with torch where you trust it and save the state_dict again.",
    ),
    "torch7": Refused("Torch7 file of Lua", "Convert it to a state_dict of tensors and save it as safetensors."),
    "hdf5": Refused("HDF5 file (Keras, .h5)", "Save the arrays with numpy.savez, one array a weight."),
    "onnx": Refused("ONNX model", "Save its initializers with numpy.savez, or the state_dict it was exported from."),
    "tensorflow": Refused(
        "TensorFlow checkpoint", "Read it with tf.train.load_checkpoint and save the arrays with numpy.savez."
    ),
    "gguf": Refused("GGUF file", "Its weights are quantised. Use the safetensors file they were made from."),
    "matlab": Refused("MATLAB file", "Read it with scipy.io.loadmat and save the arrays with numpy.savez."),
    "archive": Refused("archive", "Unpack it and give the file of weights inside."),
    "lfs": Refused(
        "Git LFS pointer", "It only points to the weights. Fetch them with `git lfs pull`.", "not_a_checkpoint"
    ),
    "html": Refused("web page", "The download brought a page instead of the file. Fetch it again.", "not_a_checkpoint"),
    "text": Refused("text file", "Give the file that holds the weights.", "not_a_checkpoint"),
}

_TORCH_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # LONG1 0x1950a86a20f9469cfc6c STOP
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"GGUF", "gguf"),
    (b"MATLAB 5.0", "matlab"),
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ\x00", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"\x28\xb5\x2f\xfd", "archive"),
    (b"Rar!\x1a\x07", "archive"),
    (b"version https://git-lfs", "lfs"),
    (b"\x04\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00V 1", "torch7"),
    (b"\x03\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00V 1", "torch7"),
)
_TABLE_FOOTER = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # of the sorted string tables that TensorFlow writes
_NO_WEIGHTS = "This is not a file of weights that Tessera can read, or it is damaged."


def recognise(file: OpenFile) -> Format:
    """The format of a file that can be read. Raises UnreadableWeights for one that cannot."""
    head = file.head(4096)
    if head.startswith(b"PK\x03\x04"):
        return _in_zip(file)
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if _begins_safetensors(head, file.size):
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "torch-legacy" if head[2 : 2 + len(_TORCH_MAGIC)] == _TORCH_MAGIC else "pickle"
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            raise refused(kind)
    if head[257:262] == b"ustar":
        raise refused("torch-tar" if b"pickle" in head or b"storages" in head[:512] else "archive")
    if file.tail(8) == _TABLE_FOOTER or ".data-0000" in file.name:
        raise refused("tensorflow")
    if head[:1] == b"\x08" and 0 < head[1] < 32 and head[2:3] in (b"\x12", b"\x1a", b"\x3a"):
        raise refused("onnx")
    if caffe.begins(file.head(1 << 16), file.size):
        return "caffemodel"
    return _text_or_pickle(head)


def refused(kind: str) -> UnreadableWeights:
    """The refusal of a recognised format."""
    what = REFUSED[kind]
    article = "an" if what.name[0] in "aeoEHO" else "a"
    return UnreadableWeights(what.code, f"This is {article} {what.name}. {what.instead}", {"format": kind})


def _begins_safetensors(head: bytes, size: int) -> bool:
    """A length of eight bytes, little-endian, then JSON; whether the length makes sense is the reader's question."""
    return head[8:9] == b"{" and (head[7] == 0 or head[9:10] == b'"') and size > 9


def _in_zip(file: OpenFile) -> Format:
    """What a zip archive holds, from its directory alone."""
    try:
        with zipfile.ZipFile(file.path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, RuntimeError):
        raise UnreadableWeights("not_a_checkpoint", "The archive is damaged or was cut off; fetch it again.") from None
    inner = {name.partition("/")[2] for name in names}
    if "archive_format" in inner | set(names) or "serialized_exported_program.json" in inner | set(names):
        raise refused("pt2")
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        raise refused("torchscript")
    if "data.pkl" in inner:
        return "torch-zip"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    raise refused("archive")


def _text_or_pickle(head: bytes) -> Format:
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype", b"<html")):
        raise refused("html")
    if head[:1] in b"c(]}" and (b"\n" in head or b"." in head):  # pickles of protocol 0 and 1
        return "pickle"
    printable = sum(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head)
    if head and printable == len(head):
        raise refused("text")
    raise UnreadableWeights("not_a_checkpoint", _NO_WEIGHTS)
