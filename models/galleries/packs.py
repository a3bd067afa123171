"""Write and read packs: a gallery's own copy of its images, in Arrow files that are memory-mapped row by row.

A shard is written once, by rename, and never opened for writing again; a gallery grows by further shards.
"""

import bisect
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.ipc

from models import atomic
from models.galleries.images import StoredImage

SHARD_ROWS: Final = 1024
BATCH_ROWS: Final = 256
MANIFEST: Final = "pack.json"
MOST_OF_A_PICTURE: Final = 100  # rows; a source of more is a data set that images came from, not one picture cut up
OPEN_SHARDS: Final = 512  # each open shard holds a file descriptor

SCHEMA: Final = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("split", pa.string()),
        pa.field("counts", pa.map_(pa.string(), pa.int32())),
        pa.field("source", pa.string()),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("jpeg_width", pa.int32(), nullable=False),
        pa.field("jpeg_height", pa.int32(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("phash", pa.uint64()),
        pa.field("scene", pa.string()),
        pa.field("truth", pa.binary()),
        pa.field("jpeg", pa.binary(), nullable=False),
        pa.field("thumb", pa.binary(), nullable=False),
    ]
)


class PackDamaged(ValueError):
    """A pack's files are missing or are not what its manifest says."""

    code = "pack_damaged"


@dataclass(frozen=True)
class PackRow:
    """The record of one image; sizes are the upright source's and the stored JPEG's.

    `scene` and `truth`, both JSON, are written from here; they are read with `Pack.scene` and `Pack.truth` only.
    """

    path: str
    label: str | None
    split: str | None
    counts: Mapping[str, int] | None
    source: str | None
    width: int
    height: int
    jpeg_width: int
    jpeg_height: int
    sha256: str
    scene: str | None = None
    truth: str | None = None


@dataclass(frozen=True)
class Shard:
    """One finished Arrow file of a pack: its name in the pack's folder, its rows, the sha256 of its bytes."""

    file: str
    rows: int
    sha256: str


def write_shard(folder: Path, index: int, rows: Iterable[tuple[PackRow, StoredImage]]) -> Shard:
    """Write rows to `shard-<index>.arrow`; the file appears whole or not at all. Memory is that of one batch."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"shard-{index:05d}.arrow"
    temporary = folder / f".{final.name}.tmp"
    count = 0
    try:
        with temporary.open("wb") as stream:
            with pa.ipc.new_file(stream, SCHEMA) as writer:
                for batch in _batches(rows):
                    writer.write_batch(batch)
                    count += batch.num_rows
            stream.flush()
            os.fsync(stream.fileno())
        digest = _sha256(temporary)
        temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    atomic.sync_folder(folder)
    return Shard(final.name, count, digest)


def write_manifest(folder: Path, shards: Sequence[Shard]) -> None:
    """List the pack's shards, in row order; only then can the pack be opened."""
    atomic.write_json(
        folder / MANIFEST,
        {"version": 1, "rows": sum(s.rows for s in shards), "shards": [asdict(s) for s in shards]},
    )


def fingerprint(shards: Iterable[Shard]) -> str:
    """One hash for the pack's whole content: sha256 over the shards' hashes, in order."""
    return hashlib.sha256("".join(shard.sha256 for shard in shards).encode()).hexdigest()


class Pack:
    """A pack opened for reading; safe to share between threads, shards are mapped when first needed."""

    def __init__(self, folder: Path, shards: Sequence[Shard]) -> None:
        self.folder = folder
        self.shards = tuple(shards)
        self.fingerprint = fingerprint(self.shards)
        self._starts = [0, *accumulate(shard.rows for shard in self.shards)]
        self._shard = lru_cache(OPEN_SHARDS)(self._open_shard)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the pack of a folder. Raises PackDamaged."""
        try:
            listed = json.loads((folder / MANIFEST).read_text())["shards"]
            return cls(folder, [Shard(str(s["file"]), int(s["rows"]), str(s["sha256"])) for s in listed])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PackDamaged(f"the pack {folder.name!r} has no readable {MANIFEST}") from error

    def __len__(self) -> int:
        return self._starts[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the mapped files; reading maps them anew."""
        self._shard.cache_clear()

    def shard_range(self, index: int) -> range:
        """The rows of one shard."""
        return range(self._starts[index], self._starts[index + 1])

    def row(self, row: int) -> PackRow:
        """The record of an image. Raises IndexError."""
        return self.metadata([row])[0]

    def jpeg(self, row: int) -> bytes:
        """The stored JPEG. Raises IndexError."""
        return self._bytes(row, "jpeg")

    def thumb(self, row: int) -> bytes:
        """The WebP thumbnail. Raises IndexError."""
        return self._bytes(row, "thumb")

    def metadata(self, rows: Sequence[int]) -> list[PackRow]:
        """The records of many images, in the given order, without reading a picture's bytes."""
        found = []
        for row in rows:
            batch, local = self._locate(row)
            values = {name: batch.column(name)[local].as_py() for name in _METADATA}
            counts = values.pop("counts")
            found.append(PackRow(counts=None if counts is None else dict(counts), **values))
        return found

    def select(self, label: str | None = None, split: str | None = None) -> npt.NDArray[np.int64]:
        """The rows that have this label and this split (None: any), ascending."""
        chosen = np.ones(len(self), dtype=bool)
        for value, (codes, names) in ((label, self._labels), (split, self._splits)):
            if value is not None:
                chosen &= codes == names.get(value, _ABSENT)
        return np.flatnonzero(chosen)

    def labels(self) -> dict[str, int]:
        """How many images carry each label, by name; images without one are not counted."""
        return _count(*self._labels)

    def splits(self) -> dict[str, int]:
        """How many images are in each split, by name."""
        return _count(*self._splits)

    def label_codes(self) -> npt.NDArray[np.int32]:
        """The label of each row as a small number; -1 where it has none."""
        return self._labels[0]

    def sources(self) -> npt.NDArray[np.int32]:
        """The source of each row (a picture or a collection) as a small number; -1 where it is not known."""
        return self._encode("source")[0]

    def pictures(self) -> npt.NDArray[np.int32]:
        """The picture that each row was cut from; -1 where it is not known, or the source is a whole collection."""
        codes = self.sources()
        rows = np.bincount(codes + 1)[codes + 1]
        return np.where(rows > MOST_OF_A_PICTURE, -1, codes).astype(np.int32)

    def scene(self, row: int) -> dict[str, Any] | None:
        """The plan of a generated scene; None for a photo. Raises IndexError."""
        return self._json(row, "scene")

    def scenes(self) -> list[dict[str, Any] | None]:
        """The plan of each row's scene."""
        batches = (batch for index in range(len(self.shards)) for batch in self._shard(index).batches)
        columns = (
            batch.column("scene").to_pylist() if "scene" in batch.schema.names else [None] * batch.num_rows
            for batch in batches
        )
        return [None if text is None else json.loads(text) for column in columns for text in column]

    def truth(self, row: int) -> dict[str, Any] | None:
        """The objects that are known to be in an image; None where they are not known. Raises IndexError."""
        return self._json(row, "truth")

    def phashes(self) -> npt.NDArray[np.uint64] | None:
        """The perceptual hash of each row; None where the pack, or a shard of it, was written without them."""
        found = []
        for batch in (batch for index in range(len(self.shards)) for batch in self._shard(index).batches):
            if "phash" not in batch.schema.names or batch.column("phash").null_count:
                return None
            found.append(batch.column("phash").to_numpy())
        return np.concatenate(found) if found else np.empty(0, dtype=np.uint64)

    def sha256s(self) -> list[str]:
        """The hash of each row's source file."""
        chunks = (batch.column("sha256") for index in range(len(self.shards)) for batch in self._shard(index).batches)
        return [value for chunk in chunks for value in chunk.to_pylist()]

    def verify(self) -> None:
        """Read every byte and compare with the recorded hashes. Raises PackDamaged naming the file."""
        for shard in self.shards:
            try:
                digest = _sha256(self.folder / shard.file)
            except OSError as error:
                raise PackDamaged(f"{shard.file} of the pack {self.folder.name!r} cannot be read") from error
            if digest != shard.sha256:
                raise PackDamaged(f"{shard.file} of the pack {self.folder.name!r} has changed since it was written")

    @cached_property
    def _labels(self) -> tuple[npt.NDArray[np.int32], dict[str, int]]:
        return self._encode("label")

    @cached_property
    def _splits(self) -> tuple[npt.NDArray[np.int32], dict[str, int]]:
        return self._encode("split")

    def _encode(self, column: str) -> tuple[npt.NDArray[np.int32], dict[str, int]]:
        """A column as one small integer a row (-1 where null) and the integer of each value."""
        chunks = [batch.column(column) for index in range(len(self.shards)) for batch in self._shard(index).batches]
        encoded = pa.chunked_array(chunks, pa.string()).combine_chunks().dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):  # of a pack without a row
            encoded = encoded.combine_chunks()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
        return codes, {name: code for code, name in enumerate(encoded.dictionary.to_pylist())}

    def _bytes(self, row: int, column: str) -> bytes:
        batch, local = self._locate(row)
        # Through the scalar's own buffer: filtering or combining the mapped column would copy every picture.
        return bytes(batch.column(column)[local].as_buffer())

    def _json(self, row: int, column: str) -> dict[str, Any] | None:
        batch, local = self._locate(row)
        if column not in batch.schema.names:  # written before there was this column
            return None
        value = batch.column(column)[local]
        return json.loads(value.as_buffer().to_pybytes()) if value.is_valid else None

    def _locate(self, row: int) -> tuple[pa.RecordBatch, int]:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} is outside 0..{len(self) - 1}")
        index = bisect.bisect_right(self._starts, row) - 1
        shard = self._shard(index)
        local = row - self._starts[index]
        batch = bisect.bisect_right(shard.starts, local) - 1
        return shard.batches[batch], local - shard.starts[batch]

    def _open_shard(self, index: int) -> "_MappedShard":
        shard = self.shards[index]
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(self.folder / shard.file)))
            batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        except (OSError, pa.ArrowException) as error:
            raise PackDamaged(f"{shard.file} of the pack {self.folder.name!r} cannot be read") from error
        starts = [0, *accumulate(batch.num_rows for batch in batches)]
        if starts[-1] != shard.rows:
            raise PackDamaged(f"{shard.file} of the pack {self.folder.name!r} has {starts[-1]} rows, not {shard.rows}")
        return _MappedShard(tuple(batches), starts)


@dataclass(frozen=True)
class _MappedShard:
    batches: tuple[pa.RecordBatch, ...]
    starts: list[int]


_APART: Final = ("jpeg", "thumb", "phash", "scene", "truth")  # read on their own, when asked for
_METADATA: Final = tuple(name for name in SCHEMA.names if name not in _APART)
_ABSENT: Final = -2  # no row has this code


def _batches(rows: Iterable[tuple[PackRow, StoredImage]]) -> Iterator[pa.RecordBatch]:
    source = iter(rows)
    while some := list(islice(source, BATCH_ROWS)):
        yield pa.RecordBatch.from_pylist([_record(row, image) for row, image in some], schema=SCHEMA)


def _record(row: PackRow, image: StoredImage) -> dict[str, Any]:
    record: dict[str, Any] = {name: getattr(row, name) for name in _METADATA}
    record["counts"] = None if row.counts is None else list(row.counts.items())
    record |= {"scene": row.scene, "truth": None if row.truth is None else row.truth.encode()}
    return record | {"jpeg": image.jpeg, "thumb": image.thumb, "phash": image.phash}


def _count(codes: npt.NDArray[np.int32], names: Mapping[str, int]) -> dict[str, int]:
    totals = np.bincount(codes[codes >= 0], minlength=len(names))
    return {name: int(totals[names[name]]) for name in sorted(names)}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
