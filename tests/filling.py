"""`python -m tests.filling WORKSPACE PHOTOS` fills a workspace and tells what is in it; torch stays in this process."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from app.console.foreground import opened
from app.settings import Settings
from tests.making import fill

if __name__ == "__main__":
    path, photos = Path(sys.argv[1]), Path(sys.argv[2])
    with opened(Settings(workspace=path, roots=(photos.parent,))) as services:
        sys.stdout.write(json.dumps(asdict(fill(services, photos)), default=str))
