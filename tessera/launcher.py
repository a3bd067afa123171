"""The `tessera` command: puts the program's own folder first on the path of this process, and hands over to it.

Installed, that is `tessera/_home`: no other program can import the `app` and `models` in it by accident, and none of
these names is taken from anybody. In a clone it is the clone.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run the command line."""
    installed = HERE / "_home"
    sys.path.insert(0, str(installed if installed.is_dir() else HERE.parent))
    from app.cli import main as run  # not sooner: it is found only now

    run()
