"""A layer's embeddings as a Parquet file, streamed shard by shard: each vector beside what is known of its image."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.galleries.packs import Pack
from models.scans.files import ScanReader


class Pieces:
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


def stream(reader: ScanReader, layer: str, pack: Pack) -> Iterator[bytes]:
    """The file in pieces; the columns are row, path, label, split and embedding, a list of fixed length."""
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
    pieces = Pieces()
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
