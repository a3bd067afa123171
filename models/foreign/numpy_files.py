"""Arrays of .npz and .npy files, never through pickle."""

import zipfile
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from models.foreign.opening import OpenFile
from models.foreign.weights import UnreadableWeights

MAX_HEADER: Final = 10_000
MOST_UNPACKED: Final = 20  # times the archive's own size; weights compress by a tenth or so
SLACK: Final = 16 << 20
OBJECTS: Final = (
    "This file holds pickled Python objects (numpy.save of a dict), which could run code, and was not opened. "
    "Save plain arrays: numpy.savez('weights.npz', **{'conv1.weight': array, ...})."
)
DAMAGED: Final = "The file of arrays is damaged or was cut off."


def read_archive(file: OpenFile) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz by name. Raises UnreadableWeights."""
    try:
        with zipfile.ZipFile(file.path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > MOST_UNPACKED * file.size + SLACK:
                raise UnreadableWeights("not_a_checkpoint", "The archive unpacks to far more than weights would.")
            found = {}
            for entry in entries:
                with archive.open(entry) as stream:
                    found[entry.filename.removesuffix(".npy")] = _array(stream, entry.file_size)
            return found
    except (UnreadableWeights, MemoryError):
        raise
    except Exception:  # zipfile, zlib, lzma and numpy raise a dozen kinds without a common base
        raise UnreadableWeights("not_a_checkpoint", DAMAGED) from None


def read_array(file: OpenFile) -> dict[str, NDArray[Any]]:
    """The one array of an .npy, named `array`. Raises UnreadableWeights."""
    try:
        with open(file.descriptor, "rb", closefd=False) as stream:
            stream.seek(0)
            return {"array": _array(stream, file.size)}
    except (UnreadableWeights, MemoryError):
        raise
    except Exception:  # as above
        raise UnreadableWeights("not_a_checkpoint", DAMAGED) from None


def _array(stream: IO[bytes], size: int) -> NDArray[Any]:
    """One array, after its header has been compared with the `size` bytes there are."""
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, column_major, dtype = read_header(stream, max_header_size=MAX_HEADER)
    if dtype.hasobject:
        raise UnreadableWeights("unsafe_checkpoint", OBJECTS, {"types": ["numpy object array"]})
    count = 1
    for length in shape:
        count *= int(length)
    if dtype.kind not in "fiubc" or count < 0 or count * dtype.itemsize > size:
        raise UnreadableWeights("not_a_checkpoint", "An array claims another size or type than the file holds.")
    data = stream.read(count * dtype.itemsize)
    values: NDArray[Any] = np.frombuffer(data, dtype).reshape(shape, order="F" if column_major else "C")
    return values.astype(dtype.newbyteorder("="), copy=False)
