"""`python -m tests.jobs.supervisor WORKSPACE`: the supervisor over the tests' own kinds, in a hurry."""

import logging
import sys
from pathlib import Path

from app.jobs.supervisor import supervise
from app.settings import Settings

ENTRY = ("-m", "tests.jobs.run")

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    sys.exit(supervise(Settings(workspace=Path(sys.argv[1]), device="cpu"), entry=ENTRY, grace=1.0, tick=0.05))
