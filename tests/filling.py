"""`python -m tests.filling FOLDER PHOTOS` fills `workspace` in a folder and writes `found.json` when it is complete."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from app.console.foreground import opened
from app.settings import Settings
from tests.making import fill

if __name__ == "__main__":
    folder, photos = Path(sys.argv[1]), Path(sys.argv[2])
    with opened(Settings(workspace=folder / "workspace", roots=(photos.parent,))) as services:
        found = json.dumps(asdict(fill(services, photos)), default=str)
    (folder / "found.tmp").write_text(found)
    (folder / "found.tmp").rename(folder / "found.json")
