"""The job `import`: lists the images of a source, then decodes, resizes and writes them shard by shard into a pack.

It can be resumed: its state keeps the listing, which is not changed any more, and after each shard how far it is. It
only holds the images in memory that are being worked on, whatever the gallery's size.
"""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
import numpy.typing as npt

from app.jobs.context import JobContext, JobFailed
from models import atomic
from models.countables.source import CountablesSource
from models.galleries.folders import FolderSource
from models.galleries.images import StoredImage
from models.galleries.intake import pack_row, stored
from models.galleries.manifests import ManifestSource
from models.galleries.packs import MANIFEST, SHARD_ROWS, Pack, PackDamaged, PackRow, Shard, write_manifest, write_shard
from models.galleries.sources import PASSED_OVER, ImageSource, Item, Skipped, UploadSource
from models.samples.photos import SampleSource

LISTING: Final = "listing.jsonl"
SKIPPED: Final = "skipped.jsonl"
STATE: Final = "import.json"
FIRST_ROWS: Final = 64  # rows of the first shard of a growing gallery

Rows = Generator[tuple[PackRow, StoredImage], None, None]
Hashes = npt.NDArray[np.uint64]


@dataclass
class ImportState:
    """The saved state of an import, from which the next attempt continues.

    `items` is the length of the listing, `taken` how many items of it are in finished shards. `base` are the shards
    that the gallery had before this job, `base_skipped_bytes` is the size of its list of skipped files then; `shards`
    and `skipped_bytes` are those of this job. `skipped` files were left out, `repeated` images were there already.
    """

    items: int = 0
    taken: int = 0
    base: list[Shard] = field(default_factory=list)
    base_skipped_bytes: int = 0
    shards: list[Shard] = field(default_factory=list)
    skipped: int = 0
    skipped_bytes: int = 0
    repeated: int = 0

    def save(self, state: Path) -> None:
        """Write it to the folder of the job's state."""
        atomic.write_json(state / STATE, asdict(self))

    @classmethod
    def read(cls, state: Path) -> "ImportState | None":
        """The state that an earlier attempt saved; None where there is none."""
        if not (state / STATE).exists():
            return None
        data: dict[str, Any] = json.loads((state / STATE).read_text())
        base, shards = ([Shard(**shard) for shard in data.pop(name)] for name in ("base", "shards"))
        return cls(**data, base=base, shards=shards)


def run(job: JobContext) -> None:
    """Import the images of the spec's `source`, and publish the gallery's pack."""
    _finish(job, _write_shards(job))


def begin(job: JobContext) -> None:
    """Draw and publish only the first rows of a growing gallery, as an interrupted attempt would leave them."""
    _write_shards(job, first=FIRST_ROWS)


def _write_shards(job: JobContext, first: int | None = None) -> ImportState:
    """Write all missing shards, or with `first` only those of the first items of the listing."""
    source = _source(job)
    progress = _resumable(job, ImportState.read(job.state)) or _freeze(job, source)
    wanted = progress.items if first is None else min(first, progress.items)
    with (job.state / SKIPPED).open("r+", encoding="utf-8") as skipped:
        # Files that an interrupted attempt skipped after its last finished shard are read again.
        skipped.truncate(progress.skipped_bytes)
        skipped.seek(0, os.SEEK_END)
        tally = _Tally(progress, skipped)
        known = _known_hashes(job.output, progress.base)
        with closing(_rows(job, source, tally, known, wanted)) as rows:
            while tally.taken < wanted:
                index = len(progress.base) + len(progress.shards)
                shard = write_shard(job.output, index, islice(rows, _shard_rows(job, progress)))
                tally.commit(shard, job)
                if _grows(job):
                    write_manifest(job.output, progress.base + progress.shards)
                    job.grown()
    return progress


def _grows(job: JobContext) -> bool:
    """Whether finished shards are published before the job ends: only those of generated scenes, which take long."""
    return bool(job.spec["source"]["kind"] == "countables")


def _shard_rows(job: JobContext, progress: ImportState) -> int:
    """The rows of the next shard; in a growing gallery the first has few, each further one twice as many."""
    return min(SHARD_ROWS, FIRST_ROWS << len(progress.shards)) if _grows(job) else SHARD_ROWS


def _source(job: JobContext) -> ImageSource:
    spec = job.spec["source"]
    match spec["kind"]:
        case "folder":
            return FolderSource(job.inputs["source"], spec.get("labels", "auto"))
        case "manifest":
            roots = [path for name, path in job.inputs.items() if name.startswith("root")]
            return ManifestSource(job.inputs["source"], roots, scratch=job.state)
        case "upload":
            return UploadSource(job.inputs.get("source"))
        case "sample":
            return SampleSource()
        case "countables":
            return CountablesSource(spec["seed"], spec["scenes"], spec["split"], sweeps=spec["sweeps"])
        case kind:
            raise JobFailed("unknown_source", f"Images cannot be imported from a source of kind {kind!r}.")


def _resumable(job: JobContext, progress: ImportState | None) -> ImportState | None:
    """The state of an earlier attempt, if its shards are unchanged and no other job has added any; else None."""
    if progress is None:
        return None
    listed = list(Pack.open(job.output).shards) if (job.output / MANIFEST).exists() else []
    try:
        Pack(job.output, progress.shards).verify()
    except PackDamaged:
        return None
    mine = progress.base + progress.shards
    return progress if listed == mine[: max(len(listed), len(progress.base))] else None


def _freeze(job: JobContext, source: ImageSource) -> ImportState:
    """Write the listing to the job's state, so that later changes of the source cannot renumber rows."""
    progress, passed_over = ImportState(), Counter[str]()
    if (job.output / MANIFEST).exists():
        progress.base = list(Pack.open(job.output).shards)
        progress.base_skipped_bytes = _size(job.output / SKIPPED)
    with (job.state / LISTING).open("w", encoding="utf-8") as lines, (job.state / SKIPPED).open("w") as skipped:
        for found in source.items():
            if isinstance(found, Skipped):
                if found.reason in PASSED_OVER:
                    passed_over[found.reason] += 1
                    continue
                skipped.write(found.to_json() + "\n")
                progress.skipped += 1
            else:
                lines.write(found.to_json() + "\n")
                progress.items += 1
            if (progress.items + progress.skipped) % 256 == 0:
                job.progress(0, None, "images", {"listed": progress.items})
        for stream in (lines, skipped):
            stream.flush()
            os.fsync(stream.fileno())
    progress.skipped_bytes = _size(job.state / SKIPPED)
    progress.save(job.state)  # last, because a new attempt then trusts the listing
    others = "".join(f", {count} {PASSED_OVER[reason]}" for reason, count in passed_over.items())
    job.log(f"{progress.items} images listed, {progress.skipped} files left out{others}")
    return progress


class _Tally:
    """Counts the items, skipped files and repeated images of the shard that is being written, until it is finished."""

    def __init__(self, progress: ImportState, skipped: TextIO) -> None:
        self._progress, self._skipped = progress, skipped
        self.taken, self.total = progress.taken, progress.items
        self._left_out = self._repeated = 0

    def skip(self, skipped: Skipped) -> None:
        """Count and list a file that is skipped."""
        self._skipped.write(skipped.to_json() + "\n")
        self._left_out += 1

    def repeat(self) -> None:
        """Count an image that the gallery holds already under the same path."""
        self._repeated += 1

    def commit(self, shard: Shard, job: JobContext) -> None:
        """Add a finished shard and its counts to the job's state, and save it."""
        self._skipped.flush()
        os.fsync(self._skipped.fileno())
        progress = self._progress
        if shard.rows:
            progress.shards.append(shard)
        else:
            (job.output / shard.file).unlink()
        progress.taken = self.taken
        progress.skipped += self._left_out
        progress.repeated += self._repeated
        progress.skipped_bytes = _size(job.state / SKIPPED)
        self._left_out = self._repeated = 0
        progress.save(job.state)


def _rows(job: JobContext, source: ImageSource, tally: _Tally, known: Hashes, wanted: int) -> Rows:
    """The rows after the last finished shard, of the first `wanted` items of the listing."""
    with (job.state / LISTING).open(encoding="utf-8") as listing:
        items = (Item.from_json(line) for line in islice(listing, tally.taken, wanted))
        with closing(stored(source, items)) as images:
            for item, image in images:
                tally.taken += 1
                job.progress(tally.taken, tally.total, "images")
                if isinstance(image, Skipped):
                    tally.skip(image)
                elif _is_known(known, item.path, image.sha256):
                    tally.repeat()
                else:
                    yield pack_row(item, image), image


def _hash(path: str, sha256: str) -> int:
    """A hash of eight bytes of an image's content and path; a million of them take 8 MB."""
    return int.from_bytes(hashlib.sha256(f"{sha256}{path}".encode()).digest()[:8])


def _is_known(known: Hashes, path: str, sha256: str) -> bool:
    wanted = np.uint64(_hash(path, sha256))
    place = int(np.searchsorted(known, wanted))
    return place < len(known) and bool(known[place] == wanted)


def _known_hashes(folder: Path, base: list[Shard]) -> Hashes:
    """The hashes of all images that the gallery holds already, sorted, so that the same file is not added twice."""
    with Pack(folder, base) as pack:
        return np.sort(np.fromiter(_hashes(pack), np.uint64, len(pack)))


def _hashes(pack: Pack) -> Iterator[int]:
    for index in range(len(pack.shards)):
        for row in pack.metadata(pack.shard_range(index)):
            yield _hash(row.path, row.sha256)


def _finish(job: JobContext, progress: ImportState) -> None:
    """Publish the list of skipped files, then the manifest that names all shards, then the job's artefact."""
    _join_skipped(job, progress)
    shards = progress.base + progress.shards
    write_manifest(job.output, shards)
    with (job.output / SKIPPED).open("rb") as stream:
        skipped = sum(1 for _ in stream)
    added = sum(shard.rows for shard in progress.shards)
    job.progress(progress.items, progress.items, "images", {"added": added, "skipped": progress.skipped})
    repeated = f", {progress.repeated} were in the gallery already" if progress.repeated else ""
    job.log(f"{added} images added, {progress.skipped} files skipped{repeated}")
    rows = sum(shard.rows for shard in shards)
    listed = [asdict(shard) for shard in shards]
    job.artefact("gallery", job.slug, job.output, rows=rows, shards=listed, skipped=skipped)
    if job.spec["source"]["kind"] == "upload" and "source" in job.inputs:
        shutil.rmtree(job.inputs["source"], ignore_errors=True)


def _join_skipped(job: JobContext, progress: ImportState) -> None:
    final, temporary = job.output / SKIPPED, job.output / f".{SKIPPED}.tmp"
    job.output.mkdir(parents=True, exist_ok=True)
    with temporary.open("wb") as target:
        if progress.base_skipped_bytes:
            with final.open("rb") as earlier:
                target.write(earlier.read(progress.base_skipped_bytes))
        with (job.state / SKIPPED).open("rb") as mine:
            shutil.copyfileobj(mine, target)
        target.flush()
        os.fsync(target.fileno())
    temporary.replace(final)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
