"""Search over HTTP against plain NumPy, and the time to load the first page in a browser.

    python -m benchmarks.search [--rows 5000] [--units 1000] [--queries 300] [--repeats 3]

A temporary workspace gets a gallery of one repeated picture and a scan of random embeddings, in the files that an
import and a scan write; the server runs in a process of its own, without predictor, inspector and supervisor. The
baseline is what a query costs if the embeddings are in memory already: the distance to every row, and the k smallest of
them.
"""

import argparse
import http.client
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Error, sync_playwright

from app.store.engine import Store
from app.store.tables import CheckpointRow, GalleryRow, ScanRow
from models.card import Card, LayerCard, Preprocess, write_card
from models.galleries.images import store_image
from models.galleries.packs import SHARD_ROWS, PackRow, Shard, write_manifest, write_shard
from models.scans.files import LayerPart, ScanInfo, ScanWriter
from models.scans.geometry import CountPath, Trunk
from models.scans.unit_tables import EDGES, UnitTable

K = 20  # neighbours asked for
SCAN = "/api/scans/benchmark/search"
CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
SERVER = """
import sys
from app.serving import serve
from app.settings import Settings
settings = Settings(workspace=sys.argv[1], port=int(sys.argv[2]))
serve(settings, lambda address: print(address.url, flush=True), start_children=False)
"""
Floats = np.ndarray[Any, np.dtype[np.float32]]


def make_gallery(folder: Path, rows: int) -> list[Shard]:
    pixels = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((320, 240), Image.Resampling.BICUBIC).save(buffer, "PNG")
    image = store_image(buffer.getvalue())
    sizes = {"width": 320, "height": 240, "jpeg_width": image.jpeg_width, "jpeg_height": image.jpeg_height}
    row = PackRow("", None, None, None, None, **sizes, sha256=image.sha256)
    starts = range(0, rows, SHARD_ROWS)
    shards = [
        write_shard(
            folder,
            start // SHARD_ROWS,
            ((replace(row, path=f"{number:05d}.png"), image) for number in range(start, min(start + SHARD_ROWS, rows))),
        )
        for start in starts
    ]
    write_manifest(folder, shards)
    return shards


def table(part: Floats, first: int) -> UnitTable:
    """The unit table of some rows, whose lists of top images have one entry; `first` is the number of the first row."""
    best, units = part.argmax(0), part.shape[1]
    histogram = np.stack([np.histogram(column, EDGES)[0] for column in part.T])
    nowhere = np.full((units, 1), -1, np.int16)
    largest, rows = part.max(0), (best + first).astype(np.int32)
    active = (part > 0).sum(0)
    return UnitTable(
        *(len(part), largest[:, None], rows[:, None], nowhere, nowhere),
        *(largest, part.sum(0, dtype=np.float64), active, histogram.astype(np.int32)),
    )


def make_scan(folder: Path, shards: list[Shard], embeddings: Floats, layer: LayerCard, sha256: str) -> None:
    writer, first = ScanWriter(folder, {}), 0
    for index, shard in enumerate(shards):
        part = embeddings[first : first + shard.rows]
        writer.write(index, shard, {layer.name: LayerPart(part, table(part, first))}, None)
        first += shard.rows
    how = {"top_k": 1, "precision": "fp32", "count_precision": "fp32", "residual": False}
    counts = CountPath(144, 160, 72, "area")
    writer.finish(
        ScanInfo(
            *("benchmark", sha256, "benchmark", tuple(shards), first, (layer,)),
            **how,
            trunk=Trunk(None, 64),
            counts=counts,
        )
    )


def make_workspace(workspace: Path, embeddings: Floats) -> None:
    """A gallery, a checkpoint that consists of a card without weights, and a scan."""
    layer, sha256 = LayerCard("counts", embeddings.shape[1], "counts", "head"), "0" * 64
    gallery, checkpoint, scan = (workspace / kind for kind in ("gallery", "checkpoint", "scan"))
    shards = make_gallery(gallery, len(embeddings))
    checkpoint.mkdir()
    how = Preprocess(144, 160, 72, None, "per_crop")
    card = Card("benchmark", "alexnet", {}, None, "counting", None, {}, (layer,), how, sha256, "fp16")
    write_card(checkpoint, card)
    make_scan(scan, shards, embeddings, layer, sha256)
    covered = {"shards": [asdict(shard) for shard in shards], "rows": len(embeddings)}
    named = {"slug": "benchmark", "name": "benchmark"}
    both = {"checkpoint": "benchmark", "gallery": "benchmark"}
    store = Store.open(workspace)
    with store.write() as session:
        session.add(GalleryRow(**named, source={"kind": "upload"}, folder="gallery", skipped=0, **covered))
        session.add(CheckpointRow(**named, folder="checkpoint", sha256=sha256, architecture="alexnet", task="counting"))
        session.add(ScanRow(slug="benchmark", **both, folder="scan", layers=[layer.name], done=True, **covered))
    store.close()


@contextmanager
def serving(workspace: Path) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(workspace), "8700"], stdout=subprocess.PIPE, text=True
    ) as it:
        assert it.stdout is not None
        try:
            yield it.stdout.readline().strip()
        finally:
            it.terminate()


def timed(ask: Callable[[int], object], queries: int) -> list[float]:
    """The milliseconds of each query, after a few queries that are not timed."""
    for number in range(5):
        ask(number)
    found = []
    for number in range(queries):
        started = time.perf_counter()
        ask(number)
        found.append(1000 * (time.perf_counter() - started))
    return found


def asker(url: str) -> Callable[[str, str, bytes | None], list[int]]:
    """A function that sends a request over one connection that stays open, and returns the rows of the answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)

    def ask(method: str, path: str, body: bytes | None = None) -> list[int]:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        content = json.loads(answer.read())
        if answer.status != 200:
            raise SystemExit(f"{path}: {content}")
        return [hit["row"] for hit in content["neighbors"]]

    return ask


def plainly(embeddings: Floats, squares: Floats, query: Floats) -> list[int]:
    distances = squares - 2 * np.einsum("nd,d->n", embeddings, query)  # on one thread, as the server searches
    nearest = np.argpartition(distances, K)[: K + 1]
    return [int(row) for row in nearest[np.argsort(distances[nearest])][1:]]


def first_page(url: str, loads: int) -> list[float]:
    """Milliseconds until the load event of `/` in a fresh browser, for each load; empty without Chromium."""
    found = os.environ.get("CHROMIUM") or next((path for path in CHROMIUM if Path(path).exists()), None)
    seconds = []
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Error:
            return []
        for _ in range(loads):
            tab = browser.new_page()
            tab.goto(url, wait_until="load")
            seconds.append(tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            tab.context.close()
        browser.close()
    return [float(value) for value in seconds]


def say(name: str, times: list[float], plain: float | None = None) -> None:
    p50, p95 = statistics.median(times), float(np.percentile(times, 95))
    ratio = "" if plain is None else f"   {p50 / plain:5.1f} x plain NumPy"
    print(f"{name:28} p50 {p50:7.2f} ms   p95 {p95:7.2f} ms{ratio}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    embeddings = np.maximum(rng.normal(0, 1, (options.rows, options.units)), 0).astype(np.float32)
    squares = np.square(embeddings).sum(1)
    bodies = [json.dumps({"vector": vector.tolist()}).encode() for vector in embeddings[:50]]
    with tempfile.TemporaryDirectory() as name:
        make_workspace(Path(name), embeddings)
        with serving(Path(name)) as url:
            ask, asked = asker(url), f"{SCAN}?k={K}&copies=1"
            assert ask("GET", f"{SCAN}?row=7&k={K}&copies=1") == plainly(embeddings, squares, embeddings[7])
            for _ in range(options.repeats):
                plain = timed(lambda n: plainly(embeddings, squares, embeddings[n]), options.queries)
                say("plain NumPy, in memory", plain)
                by_row = timed(lambda n: ask("GET", f"{SCAN}?row={n % options.rows}&k={K}&copies=1"), options.queries)
                say("GET search?row=", by_row, statistics.median(plain))
                by_vector = timed(lambda n: ask("POST", asked, bodies[n % len(bodies)]), options.queries)
                say("POST search, a vector", by_vector, statistics.median(plain))
            if pages := first_page(url, 5):
                say("first page in Chromium", pages)
    print(f"{options.rows} rows x {options.units} units, {options.queries} queries each, one after the other")


if __name__ == "__main__":
    main()
