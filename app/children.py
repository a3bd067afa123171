"""Starts every process of ours: this Python, which finds our `app` and `models` before anybody else's.

They lie on no path of an installed Python, only on that of our own processes: people have packages called `app` and
`models` too, in the folder they work in, on their PYTHONPATH or installed. PYTHONPATH holds under PYTHONSAFEPATH as
well, where the folder that a process starts in is not searched.
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
    """Start `python WORDS` with nothing to read, in the environment given or else in ours."""
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
    """Start it, wait until it ends and keep what it says; one that takes longer is killed: TimeoutExpired."""
    with start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            said, complained = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def _with_our_path(environment: Mapping[str, str]) -> dict[str, str]:
    """Our folder first, then what the user's own path names, read from the folder that this process is in."""
    named = [Path(part).absolute() for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part]
    path = [ROOT, *(folder for folder in named if folder != ROOT)]
    return {**environment, "PYTHONPATH": os.pathsep.join(map(str, path))}
