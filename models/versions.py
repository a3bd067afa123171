"""Versions of this program and of libraries: what the record of a result says about how it came to be."""

from importlib.metadata import version
from typing import Final

DISTRIBUTION: Final = "tessera-workbench"  # what is installed; the name of the command is another project's there


def own_version() -> str:
    """This program's version."""
    return version(DISTRIBUTION)


def versions(*libraries: str) -> dict[str, str]:
    """This program's version and those of the distributions that are named."""
    return {"tessera": own_version()} | {name: version(name) for name in libraries}
