"""`make wheel`: builds the wheel, installs it beside packages of the same names as ours, and lets its demo work.

It needs no more than a Python with uv (PYTHONPATH names it), and takes the versions of requirements.lock. All of it
happens in a temporary folder, and it ends with 1 where something does not hold.
"""

import logging
import sys
import tempfile
from pathlib import Path
from time import monotonic

from tests.wheel import demo
from tests.wheel.environment import Environment, build, check_files

ROOT = Path(__file__).resolve().parents[2]

log = logging.getLogger("wheel")


def main() -> int:
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    began = monotonic()
    with tempfile.TemporaryDirectory(prefix="tessera-wheel-") as name:
        folder = Path(name)
        wheel = build(ROOT, folder / "dist")
        check_files(wheel, ROOT)
        size = wheel.stat().st_size / 1e6
        log.info("%s, %.1f MB, holds every file of the program and nothing else", wheel.name, size)
        environment = Environment.make(folder, wheel, ROOT / "requirements.lock")
        environment.check_names()
        environment.compile_once()
        log.info("installed after %.0f s; `app` and `models` stay other people's", monotonic() - began)
        before = environment.program_files()
        demo.check(environment, ROOT)
        assert environment.program_files() == before, "the program wrote into its own folder"
    log.info("Python %d.%d, all well after %.0f s", *sys.version_info[:2], monotonic() - began)
    return 0


if __name__ == "__main__":
    sys.exit(main())
