"""The photos that ship inside scikit-image, read from the installed package: nothing is copied into Tessera."""

import importlib.util
from pathlib import Path


def data_folder() -> Path:
    """Where scikit-image keeps its files, found without importing it."""
    found = importlib.util.find_spec("skimage")
    if found is None or found.origin is None:
        return Path("scikit-image-is-not-installed")
    return Path(found.origin).parent / "data"
