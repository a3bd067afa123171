"""Registers finished artefacts: one function for each table.

Each reads the artefact's files outside any transaction, and returns a function that writes the row; that one is called
in the transaction that sets the job to `done`.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.jobs.catalogue import InPlace, Table, artefact
from app.jobs.spec import Output
from app.store.tables import CheckpointRow, ClusteringRow, GalleryRow, ScanRow

# These names are repeated from models.galleries.packs, card, scans and clusterings, because importing those would load
# pyarrow and numpy into the supervisor, which shall stay small; a test compares them.
MANIFEST, SKIPPED, CARD, SCAN = "pack.json", "skipped.jsonl", "checkpoint.json", "scan.json"
CLUSTERING = "clustering.json"

Register = Callable[[Session], None]
Reader = Callable[[Path, Output, int, Mapping[str, Any]], Register]


def _read_json(path: Path) -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    return data


def gallery(folder: Path, output: Output, job_id: int, spec: Mapping[str, Any]) -> Register:
    """Registers the rows and shards of a gallery whose pack was written or has grown."""
    shards = [dict(shard) for shard in _read_json(folder / MANIFEST)["shards"]]
    skipped_list = folder / SKIPPED
    skipped = len(skipped_list.read_bytes().splitlines()) if skipped_list.exists() else 0

    def register(session: Session) -> None:
        row = session.scalar(select(GalleryRow).where(GalleryRow.slug == output.slug))
        if row is None:
            row = GalleryRow(slug=output.slug, name=str(spec.get("name", output.slug)), folder=output.path)
            row.source, row.job_id = dict(spec.get("source", {})), job_id
            session.add(row)
        row.shards, row.rows, row.skipped = shards, sum(int(shard["rows"]) for shard in shards), skipped

    return register


def checkpoint(folder: Path, output: Output, job_id: int, _spec: Mapping[str, Any]) -> Register:
    """Registers a checkpoint, from its card."""
    card = _read_json(folder / CARD)

    def register(session: Session) -> None:
        row = session.scalar(select(CheckpointRow).where(CheckpointRow.slug == output.slug))
        if row is None:
            row = CheckpointRow(slug=output.slug, folder=output.path)
            session.add(row)
        row.name, row.sha256 = str(card["name"]), str(card["weights_sha256"])
        row.architecture = str(card.get("title") or card["architecture"])
        row.task, row.job_id = card["task"], job_id

    return register


def scan(folder: Path, output: Output, job_id: int, _spec: Mapping[str, Any]) -> Register:
    """Registers a scan, from its scan.json."""
    info = _read_json(folder / SCAN)
    layers = [layer["name"] if isinstance(layer, Mapping) else str(layer) for layer in info["layers"]]

    def register(session: Session) -> None:
        row = session.scalar(select(ScanRow).where(ScanRow.slug == output.slug))
        if row is None:
            row = ScanRow(slug=output.slug, folder=output.path)
            session.add(row)
        row.checkpoint, row.gallery, row.rows = info["checkpoint"], info["gallery"], int(info["rows"])
        row.layers, row.shards = layers, [dict(shard) for shard in info["shards"]]
        row.done, row.job_id = True, job_id

    return register


def clustering(folder: Path, output: Output, job_id: int, _spec: Mapping[str, Any]) -> Register:
    """Registers a clustering, from its clustering.json."""
    info = _read_json(folder / CLUSTERING)

    def register(session: Session) -> None:
        row = session.scalar(select(ClusteringRow).where(ClusteringRow.slug == output.slug))
        if row is None:
            row = ClusteringRow(slug=output.slug, folder=output.path)
            session.add(row)
        row.scan, row.checkpoint, row.gallery = info["scan"], info["checkpoint"], info["gallery"]
        row.layer, row.method, row.k = info["layer"], info["options"]["method"], int(info["options"]["k"])
        row.rows, row.job_id = int(info["rows"]), job_id

    return register


def _in_place(artefact: InPlace, folder: Path, _output: Output, _job_id: int, _spec: Mapping[str, Any]) -> Register:
    """Checks that an artefact without a row can be read; there is nothing to write. Raises where it cannot."""
    place = folder if artefact.file is None else folder / artefact.file
    if artefact.says is None:
        place.stat()
    else:
        _read_json(place)[artefact.says]
    return lambda _session: None


TABLES: Mapping[Table, Reader] = {
    "gallery": gallery,
    "checkpoint": checkpoint,
    "scan": scan,
    "clustering": clustering,
}


def reader(name: str) -> Reader | None:
    """The function that reads artefacts of that name for their registration; None where no kind of job makes one."""
    made = artefact(name)
    if made is None:
        return None
    return partial(_in_place, made.registers) if isinstance(made.registers, InPlace) else TABLES[made.registers]
