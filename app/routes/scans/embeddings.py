"""Downloads of a layer's embeddings: NumPy files of all rows or of one, or Parquet with what is known of each image."""

from io import BytesIO
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from app.deps import MAX_ID
from app.failures import NotFound
from app.opened import ScanDep
from app.services.scans.service import guarded
from app.web.responses import BINARY, answers, attachment
from models.scans.embedding_files import npy_header, npy_pieces, parquet_pieces
from models.scans.files import ScanReader

router = APIRouter()

RowQuery = Annotated[int, Query(ge=0, le=MAX_ID)]
PARQUET = "application/vnd.apache.parquet"


@router.get("/api/scans/{scan}/embeddings/{layer}.npy", response_class=Response, responses=answers(BINARY))
def embeddings(scan: ScanDep, layer: str, row: RowQuery | None = None) -> Response:
    """A layer's embeddings as a NumPy file: of all scanned rows (rows, units), or of one (units,)."""
    reader, layer = scan.reader, scan.layer(layer).name
    if row is not None:
        headers = attachment(f"{scan.slug}-{layer}-{row}.npy")
        return Response(_row_file(reader, layer, row), media_type=BINARY, headers=headers)
    start, size = npy_header(reader, layer)
    headers = attachment(f"{scan.slug}-{layer}.npy") | {"Content-Length": str(size)}
    return StreamingResponse(npy_pieces(start, reader, layer), media_type=BINARY, headers=headers)


@router.get("/api/scans/{scan}/embeddings/{layer}.parquet", response_class=Response, responses=answers(PARQUET))
def embeddings_parquet(scan: ScanDep, layer: str) -> StreamingResponse:
    """A layer's embeddings as Parquet: row, path, label, split and vector, with one row group for each shard."""
    pieces = parquet_pieces(scan.reader, scan.layer(layer).name, scan.pack)
    headers = attachment(f"{scan.slug}-{layer}.parquet")
    return StreamingResponse(pieces, media_type=PARQUET, headers=headers)


def _row_file(reader: ScanReader, layer: str, row: int) -> bytes:
    """One row as a NumPy file. Raises NotFound, Conflict."""
    if row >= reader.rows:
        raise NotFound("unknown_row", f"This scan has no row {row}; it covers {reader.rows}.")
    buffer = BytesIO()
    np.save(buffer, guarded(reader.embedding, layer, row).astype(reader.embedding_dtype(layer)), allow_pickle=False)
    return buffer.getvalue()
