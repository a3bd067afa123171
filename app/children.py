"""Starts all further Python processes of Tessera, so that they import Tessera's own `app` and `models`.

Users may have packages called `app` and `models` as well: in the folder they work in, on their PYTHONPATH, or
installed. So Tessera's folder is put first on the PYTHONPATH of these processes, and of no others. PYTHONPATH is also
searched under PYTHONSAFEPATH, where the folder that a process starts in is not.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from app.root import ROOT


def start(
    *words: str,
    environment: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    pass_fds: tuple[int, ...] = (),
    own_session: bool = False,
) -> "subprocess.Popen[bytes]":
    """Start `python WORDS` with an empty standard input; `environment` None is that of this process."""
    return subprocess.Popen(
        (sys.executable, *words),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        cwd=ROOT,
        env=_with_our_path(os.environ if environment is None else environment),
        pass_fds=pass_fds,
        start_new_session=own_session,
    )


def run(*words: str, timeout: float) -> "subprocess.CompletedProcess[bytes]":
    """Run `python WORDS` until it ends and return its output; after `timeout` seconds it is killed.

    Raises TimeoutExpired.
    """
    with start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            said, complained = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def _with_our_path(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with Tessera's folder first on PYTHONPATH, followed by the user's entries as absolute paths."""
    named = [Path(part).absolute() for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part]
    path = [ROOT, *(folder for folder in named if folder != ROOT)]
    return {**environment, "PYTHONPATH": os.pathsep.join(map(str, path))}
