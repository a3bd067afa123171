"""Removes paths of this machine from texts that visitors of the website may read."""

import re
from pathlib import Path

_PATH = re.compile(r"(?<![\w:/])/(?:[^\s/'\":,;()<>]+/)+[^\s/'\":,;()<>]*")  # absolute, of two parts or more; no URL


def without_places(text: str, workspace: Path) -> str:
    """The text with paths in the workspace made relative to it, and only the last part of other paths."""
    text = text.replace(f"{workspace}/", "").replace(str(workspace), "workspace")
    return _PATH.sub(lambda match: match.group().rstrip("/").rsplit("/", 1)[1], text)
