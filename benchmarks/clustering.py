"""k-means of many embeddings: the time of an iteration against `faiss.Kmeans` in the same run, and the memory.

    python -m benchmarks.clustering [--images 20000] [--units 1024] [--clusters 500] [--iterations 3] [--threads 2]

Embeddings are drawn around `clusters` random centres and lie in a float16 file, as a scan stores them. The largest size
that a clustering must be able to handle is --images 100000 --units 4096 --clusters 2000. With --alone, `faiss.Kmeans`
is not run.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np

from models.clusters.clustering import POINTS, ChosenRows, memory_needed, write_points
from models.clusters.kmeans import assign, first_centres, kmeans
from models.clusters.space import fit_space

CHUNK = 4096  # images written at once


def write_embeddings(path: Path, images: int, units: int, clusters: int) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    middles = rng.normal(0, 1, (clusters, units)).astype(np.float32)
    file = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(images, units))
    for start in range(0, images, CHUNK):
        count = min(CHUNK, images - start)
        noise = rng.standard_normal((count, units), dtype=np.float32)
        file[start : start + count] = middles[rng.integers(clusters, size=count)] + 2 * noise
    file.flush()
    return np.load(path, mmap_mode="r")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--units", type=int, default=1024)
    parser.add_argument("--clusters", type=int, default=500)
    parser.add_argument("--iterations", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--alone", action="store_true")
    options = parser.parse_args()
    faiss.omp_set_num_threads(options.threads)
    size = (options.images, options.units)
    with tempfile.TemporaryDirectory() as folder:
        embeddings = write_embeddings(Path(folder) / "embeddings.npy", *size, options.clusters)
        began = time.perf_counter()
        rows = ChosenRows([embeddings], np.ones(options.images, bool))
        space = fit_space(embeddings, normalise=True)
        points = write_points(Path(folder) / POINTS, rows, space, options.units, lambda *_: None)
        print(f"{options.images} x {options.units} read, normalised and written: {time.perf_counter() - began:.1f} s")
        centres = first_centres(points, options.clusters, seed=0)
        times, began = [], time.perf_counter()
        for step in kmeans(points, centres, iterations=options.iterations, seed=0):
            times.append(time.perf_counter() - began)
            print(f"iteration {step.number}: {times[-1]:.1f} s, inertia {step.inertia / options.images:.5f}")
            began, centres = time.perf_counter(), step.centres
        assign(points, centres)
        print(f"assignment: {time.perf_counter() - began:.1f} s")
        own = memory_needed(*size, options.clusters) / 2**30
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"stated memory {own:.2f} GiB; peak of this process {peak:.2f} GiB, mapped files included")
        if options.alone:
            return
        in_memory = np.array(points)
        theirs = faiss.Kmeans(
            options.units, options.clusters, niter=options.iterations, seed=0, max_points_per_centroid=10**9
        )
        began = time.perf_counter()
        theirs.train(in_memory)
        each = (time.perf_counter() - began) / options.iterations
        ours = float(np.mean(times))
        print(f"faiss.Kmeans: {each:.1f} s an iteration, in memory; ours {ours:.1f} s; ratio {each / ours:.2f}")


if __name__ == "__main__":
    main()
