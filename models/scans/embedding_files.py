"""A layer's embeddings as one file, streamed shard by shard: NumPy's, or Parquet with what is known of each image."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib import format as npy

from models.galleries.packs import Pack
from models.scans.files import ScanReader

CHUNK = 1 << 20


def npy_header(reader: ScanReader, layer: str) -> tuple[bytes, int]:
    """How the NumPy file begins, and its size in bytes."""
    dtype, shape = reader.embedding_dtype(layer), (reader.rows, reader.layer(layer).units)
    buffer = BytesIO()
    npy.write_array_header_1_0(buffer, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
    return buffer.getvalue(), len(buffer.getvalue()) + shape[0] * shape[1] * dtype.itemsize


def npy_pieces(start: bytes, reader: ScanReader, layer: str) -> Iterator[bytes]:
    """The NumPy file in pieces of about a megabyte."""
    yield start
    for part in reader.embedding_parts(layer):
        step = max(1, CHUNK // max(1, part.itemsize * part.shape[1]))
        for first in range(0, len(part), step):
            yield np.ascontiguousarray(part[first : first + step]).tobytes()


class PieceBuffer:
    """A file that is written to, and from which what was written so far is taken away."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._at = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        block = bytes(data)
        self._written.append(block)
        self._at += len(block)
        return len(block)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        taken, self._written = b"".join(self._written), []
        return taken


def parquet_pieces(reader: ScanReader, layer: str, pack: Pack) -> Iterator[bytes]:
    """The Parquet file in pieces; the columns are row, path, label, split and embedding, a list of fixed length."""
    units = reader.layer(layer).units
    kind = pa.float32() if reader.embedding_dtype(layer) == np.float32 else pa.float16()
    schema = pa.schema(
        [
            ("row", pa.int64()),
            ("path", pa.string()),
            ("label", pa.string()),
            ("split", pa.string()),
            ("embedding", pa.list_(kind, units)),
        ],
        metadata={"scan": reader.folder.name, "layer": layer, "pooling": reader.info.pooling},
    )
    pieces = PieceBuffer()
    first = 0
    with pq.ParquetWriter(pa.PythonFile(pieces, mode="w"), schema, compression="zstd") as writer:
        for part in reader.embedding_parts(layer):
            known = pack.metadata(range(first, first + len(part)))
            values = pa.array(np.ascontiguousarray(part).reshape(-1), type=kind)
            columns = [
                pa.array(range(first, first + len(part)), pa.int64()),
                *(pa.array([getattr(row, name) for row in known], pa.string()) for name in ("path", "label", "split")),
                pa.FixedSizeListArray.from_arrays(values, units),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            first += len(part)
            yield pieces.take()
    yield pieces.take()
