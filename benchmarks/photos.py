"""Photos for the benchmarks: a folder of your own, or large crops of scikit-image's photos in a temporary folder."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

PHOTOS = ("astronaut", "chelsea", "coffee")


def photos(folder: Path | None, count: int, scratch: Path, *, side: int = 640) -> list[Path]:
    """`count` JPEG files: those of `folder`, or fewer if it has fewer; without a folder generated ones in `scratch`.

    Generated ones have a longer side of `side` pixels.
    """
    if folder is not None:
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        return found[:: max(1, len(found) // count)][:count]
    scratch.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    sources = [Image.fromarray(getattr(data, name)()).convert("RGB") for name in PHOTOS]
    paths = []
    for number in range(count):
        source = sources[number % len(sources)]
        part = int(rng.integers(min(source.size) // 2, min(source.size)))
        left, top = (int(rng.integers(0, extent - part + 1)) for extent in source.size)
        crop = source.crop((left, top, left + part, top + part)).resize((side, side * 3 // 4), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        crop.save(buffer, "JPEG", quality=92)
        path = scratch / f"{number:05d}.jpg"
        path.write_bytes(buffer.getvalue())
        paths.append(path)
    return paths
