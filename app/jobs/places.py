"""Text that people far away may read names no place of this machine's file system."""

import re
from pathlib import Path

_PATH = re.compile(r"(?<![\w:/])/(?:[^\s/'\":,;()<>]+/)+[^\s/'\":,;()<>]*")  # absolute, of two parts or more; no URL


def without_places(text: str, workspace: Path) -> str:
    """Paths in the workspace are relative to it, of others only the last part is left."""
    text = text.replace(f"{workspace}/", "").replace(str(workspace), "workspace")
    return _PATH.sub(lambda match: match.group().rstrip("/").rsplit("/", 1)[1], text)
