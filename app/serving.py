"""Runs the web server of a workspace: one for each workspace, on the wanted port or the next free one."""

import contextlib
import errno
import fcntl
import getpass
import json
import logging
import os
import resource
import signal
import socket
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.failures import Conflict
from app.settings import Settings
from app.store.workspace import open_to_others, prepare_workspace
from app.web.security import check_exposure
from models.atomic import write_json

RECORD, LOCK = "serve.json", "serve.lock"
PORTS_TO_TRY = 50
ANSWER_WITHIN = 1.0  # seconds in which a running server answers /healthz
STARTING = 10.0  # seconds to wait for an answer of a server that holds the lock
OPEN_FILES = 8192  # the wanted limit

log = logging.getLogger("tessera.serve")


@dataclass(frozen=True)
class Address:
    """The address at which a workspace is served; `already` says that another process serves it."""

    url: str
    tunnel: str  # the ssh command by which another machine can reach it
    already: bool = False


Announce = Callable[[Address], None]


def serve(settings: Settings, announce: Announce | None = None, *, start_children: bool = True) -> Address:
    """Serve until a signal comes; `announce` is called with the address once the server answers.

    Where another process serves the workspace already, its address is announced and returned. Raises Forbidden for an
    exposed host without a token, and Conflict where no port is free or the other process does not answer.
    """
    from app.main import create_app  # imported here: users of `running_url` need no application
    from app.services.checkpoints.bundled import ensure_random_init, register_bundled

    tell = announce or _say
    check_exposure(settings)
    prepare_workspace(settings.workspace, own_database=settings.database_url is None)
    if settings.token is not None and open_to_others(settings.workspace):
        log.warning("other users of this machine can read the workspace; `chmod 700 %s` ends that", settings.workspace)
    with _only_server(settings.workspace) as ours:
        if not ours:
            address = _wait_for_other(settings)
            tell(address)
            return address
        listener = bind(settings.host, settings.port)
        with contextlib.closing(listener):
            settings = settings.model_copy(update={"port": listener.getsockname()[1]})
            application = create_app(settings, start_children=start_children)
            ensure_random_init(application.state.services.checkpoints)
            register_bundled(application.state.services.checkpoints)
            return _run(application, settings, listener, tell)


def running_url(workspace: Path) -> str | None:
    """The address of the running server of this workspace; None where none answers."""
    try:
        record = json.loads((workspace / RECORD).read_bytes())
        url, instance = str(record["url"]), str(record["instance"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return url if _instance(url) == instance else None


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens on `port`, or on the next free one. Raises Conflict."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + PORTS_TO_TRY, 65536)):
        # asyncio sets TCP_NODELAY only where the protocol is named; without it answers take 40 ms more.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), candidate))
            listener.listen(256)
            return listener
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise Conflict("cannot_listen", f"Cannot listen on {host}: {error.strerror or error}.") from None
    raise Conflict("no_port", f"No port from {port} to {port + PORTS_TO_TRY - 1} is free; choose one with --port.")


class HttpServer(uvicorn.Server):
    """A uvicorn server that calls `started` when it answers, and makes open event streams end when it stops."""

    def __init__(self, config: uvicorn.Config, application: FastAPI, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._application = application
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._application.state.stopping = True
        super().handle_exit(sig, frame)


def uvicorn_config(application: FastAPI, settings: Settings) -> uvicorn.Config:
    """The settings of uvicorn, with limits against misuse; requests are counted but not logged."""
    return uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=10,
        limit_concurrency=1024,
        h11_max_incomplete_event_size=32 * 1024,
    )


def _run(application: FastAPI, settings: Settings, listener: socket.socket, announce: Announce) -> Address:
    address = _address(settings)
    record = {"pid": os.getpid(), "url": address.url, "instance": application.state.instance}

    def started() -> None:
        write_json(settings.workspace / RECORD, record)
        announce(address)
        if settings.open_browser:
            threading.Thread(target=webbrowser.open, args=(address.url,), daemon=True).start()

    _allow_many_files()
    _leave_quietly()
    try:
        HttpServer(uvicorn_config(application, settings), application, started).run(sockets=[listener])
    finally:
        (settings.workspace / RECORD).unlink(missing_ok=True)
    return address


def _leave_quietly() -> None:
    """Ignore the signal that uvicorn raises again after it was ended by it and has stopped in order."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)


def _address(settings: Settings) -> Address:
    everywhere = settings.host in ("0.0.0.0", "::", "[::]")
    host = "127.0.0.1" if everywhere else settings.host.strip("[]")
    shown = f"[{host}]" if ":" in host else host
    return Address(f"http://{shown}:{settings.port}{settings.base_path}/", _tunnel(settings.port))


def _tunnel(port: int) -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "you"
    return f"ssh -L {port}:127.0.0.1:{port} {user}@{socket.gethostname()}"


@contextlib.contextmanager
def _only_server(workspace: Path) -> Iterator[bool]:
    """Whether this process is the workspace's server, by a lock that is held inside the block.

    A lock is more reliable than a process id in a file, which may be another program's by now.
    """
    descriptor = os.open(workspace / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        except OSError:  # a file system without locks
            yield running_url(workspace) is None
        else:
            yield True
    finally:
        os.close(descriptor)


def _wait_for_other(settings: Settings) -> Address:
    """The address of the server that holds the lock, as soon as it answers."""
    deadline = time.monotonic() + STARTING
    while (url := running_url(settings.workspace)) is None:
        if time.monotonic() > deadline:
            raise Conflict(
                "workspace_in_use", "Another Tessera holds this workspace and does not answer; end it first."
            )
        time.sleep(0.2)
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    return Address(url, _tunnel(port), already=True)


def _instance(url: str) -> str | None:
    """The identifier of the server process that answers at `url`; None where none does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}healthz", timeout=ANSWER_WITHIN) as answer:
            return str(json.loads(answer.read(10_000))["instance"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _allow_many_files() -> None:
    """Raise the limit of open files, because connections count and the usual limit of 1024 is soon reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _say(address: Address) -> None:
    from app.console import terminal

    state = "is already serving this workspace" if address.already else "is serving"
    terminal.say(f"Tessera {state} at {address.url}")
    terminal.say(f"From another machine: {address.tunnel}")
