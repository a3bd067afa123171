"""A layer's embeddings as one NumPy file, streamed shard by shard."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.lib import format as npy

from app.failures import NotFound
from app.services.scans.service import guarded
from models.scans.files import ScanReader

CHUNK = 1 << 20


def header(reader: ScanReader, layer: str) -> tuple[bytes, int]:
    """How the file begins, and its size in bytes."""
    dtype, shape = reader.embedding_dtype(layer), (reader.rows, reader.layer(layer).units)
    buffer = BytesIO()
    npy.write_array_header_1_0(buffer, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
    return buffer.getvalue(), len(buffer.getvalue()) + shape[0] * shape[1] * dtype.itemsize


def stream(start: bytes, reader: ScanReader, layer: str) -> Iterator[bytes]:
    """The file in pieces of about a megabyte."""
    yield start
    for part in reader.embedding_parts(layer):
        step = max(1, CHUNK // max(1, part.itemsize * part.shape[1]))
        for first in range(0, len(part), step):
            yield np.ascontiguousarray(part[first : first + step]).tobytes()


def row_file(reader: ScanReader, layer: str, row: int) -> bytes:
    """One row as a file of its own. Raises NotFound, Conflict."""
    if row >= reader.rows:
        raise NotFound("unknown_row", f"This scan has no row {row}; it covers {reader.rows}.")
    buffer = BytesIO()
    np.save(buffer, guarded(reader.embedding, layer, row).astype(reader.embedding_dtype(layer)), allow_pickle=False)
    return buffer.getvalue()
