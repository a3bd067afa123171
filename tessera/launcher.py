"""The `tessera` command: puts the folder of the program first on the import path of this process, and runs it.

If Tessera is installed, that folder is `tessera/_home`, where no other program imports `app` and `models` by accident.
In a clone it is the root of the clone.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run the command line."""
    if sys.getfilesystemencoding() != "utf-8":  # names of files would be read in another alphabet than they are written
        os.execve(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]], {**os.environ, "PYTHONUTF8": "1"})
    installed = HERE / "_home"
    sys.path.insert(0, str(installed if installed.is_dir() else HERE.parent))
    from app.cli import main as run  # here, as it can be found only now

    run()
