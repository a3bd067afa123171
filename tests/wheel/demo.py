"""The installed `tessera demo`: it scans, two of its pages hold what they should, and it leaves in good order."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar
from urllib.error import HTTPError

from tests.wheel.environment import PATIENCE, Environment

Found = TypeVar("Found")

log = logging.getLogger("wheel")


def check(environment: Environment, root: Path) -> None:
    """Start the demo, wait until a scan is done, look at what it serves, end it."""
    began = monotonic()
    record = environment.workspace / "serve.json"
    with _running(environment) as process:

        def wait(what: str, look: Callable[[], Found | None]) -> Found:
            while (found := look()) is None:
                assert process.poll() is None, f"the demo ended with {process.returncode}"
                assert monotonic() < began + PATIENCE, f"after {PATIENCE:.0f} s still not: {what}"
                sleep(0.25)
            log.info("%s after %.0f s", what, monotonic() - began)
            return found

        url = wait("the demo serves", lambda: json.loads(record.read_bytes())["url"] if record.exists() else None)
        health = _read(f"{url}healthz")
        version = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"]
        assert health["version"] == version, health
        scan = wait("a scan is done", lambda: _done_scan(url))
        _check_pages(url, scan, root)
        layer = _read(f"{url}api/scans/{scan}")["layers"][0]["name"]
        map_of_unit = f"{url}api/scans/{scan}/units/{layer}/0/heatmap?row=0"
        wait("the network answers", lambda: _json(map_of_unit))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, process.returncode


def _check_pages(url: str, scan: str, root: Path) -> None:
    """The first page with its styles, and the page of the scan with the pictures of a unit."""
    first = _text(url)
    assert "<h1" in first and scan in first, first[:2000]
    styles = re.findall(r'<link rel="stylesheet" href="/static/(\w+\.css)\?v=(\w+)"', first)
    assert styles, first[:2000]
    for name, shown in styles:
        assert shown != "0" and _text(f"{url}static/{name}") == (root / "static" / name).read_text("utf-8"), name
    page = _text(f"{url}scans/{scan}")
    assert "<h1" in page and f"/scans/{scan}/units/" in page, page[:2000]


def _done_scan(url: str) -> str | None:
    """The slug of the first scan that is done; a job that failed ends the wait."""
    jobs = _read(f"{url}api/jobs")["jobs"]
    failed = [job for job in jobs if job["state"] == "failed"]
    assert not failed, failed
    done = [job for job in jobs if job["kind"] == "scan" and job["state"] == "done"]
    return done[-1]["links"]["scan"].rsplit("/", 1)[1] if done else None


@contextmanager
def _running(environment: Environment) -> Iterator["subprocess.Popen[bytes]"]:
    """The demo in a session of its own; what it said is shown where something failed."""
    said = environment.folder / "said.txt"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--no-open", "--workspace", str(environment.workspace), "--port", str(port)]
    with said.open("wb") as output:
        process = subprocess.Popen(
            [str(environment.program("tessera")), "demo", *options],
            cwd=environment.work,
            env=environment.variables(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    except BaseException:
        sys.stderr.write(said.read_text("utf-8", "replace")[-20_000:])
        for job_log in sorted((environment.workspace / "jobs").glob("*/log.txt")):
            sys.stderr.write(f"--- job {job_log.parent.name}\n{job_log.read_text('utf-8', 'replace')[-5000:]}")
        raise
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # its children see their pipes close, and leave
            process.wait()


def _open(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=PATIENCE) as answer:
        content: bytes = answer.read()
        return content


def _text(url: str) -> str:
    return _open(url).decode()


def _read(url: str) -> Any:
    return json.loads(_open(url))


def _json(url: str) -> Any:
    """The answer; None where it is to try again."""
    try:
        return _read(url)
    except HTTPError as error:
        if error.code == 503:
            return None
        raise
