"""Fixtures: an application on an empty workspace, and one server over a workspace that was used."""

import asyncio
import fcntl
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from app.serving import bind
from app.settings import Settings
from tests.applications import application
from tests.waiting import wait_until

if TYPE_CHECKING:
    from app.inspector.client import Inspector
    from tests.making import Filling, Workspace

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
PREDICTOR_START = 120.0
pytest_plugins = ["tests.marks"]

for name in [name for name in os.environ if name.startswith("TESSERA_")]:
    del os.environ[name]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An empty workspace; pictures may be imported from the test's own folder."""
    return Settings(workspace=tmp_path / "workspace", roots=(tmp_path,))


Found = TypeVar("Found")


def completed(work: Coroutine[Any, Any, Found]) -> Found:
    """What a coroutine returns, run in a thread: Chromium's driver keeps a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Client:
    """Asks an application directly, without a network; every request gets a loop of its own."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        return completed(self._request(method, url, **options))

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)

    async def _request(self, method: str, url: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8642") as client:
            return await client.request(method, url, **options)


Clients = Callable[[Settings], Client]


@pytest.fixture
def client_for() -> Iterator[Clients]:
    """Makes clients of applications with settings of the test's own."""
    made: list[FastAPI] = []

    def make(settings: Settings) -> Client:
        made.append(application(settings))
        return Client(made[-1])

    yield make
    for app in made:
        app.state.services.store.close()


@pytest.fixture
def client(settings: Settings, client_for: Clients) -> Client:
    """A client of an empty workspace."""
    return client_for(settings)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty small photos in four class folders; no test changes them."""
    from tests.making import write_photos

    source = shared(tmp_path_factory) / "source"
    source.mkdir(exist_ok=True)
    with (source / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return source / "photos" if (source / "photos").exists() else write_photos(source / "photos")


def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run see, where pytest-xdist divides it among several."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@dataclass(frozen=True)
class Server:
    """A live server over the used workspace."""

    url: str
    app: FastAPI
    workspace: "Workspace"

    @property
    def services(self) -> Any:
        return self.app.state.services


@pytest.fixture(scope="session", autouse=True)
def filling(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Filling | None"]:
    """The used workspace, begun before the first test where any will ask for it."""
    if not any("server" in getattr(item, "fixturenames", ()) for item in request.session.items):
        yield None
        return
    from tests.making import Filling

    filling = Filling(shared(tmp_path_factory), request.getfixturevalue("photos"))
    yield filling
    filling.close()


@pytest.fixture(scope="session")
def server(photos: Path, filling: "Filling", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the whole run; no supervisor, and a predictor only where `predictor` is asked for."""
    workspace = filling.copy(tmp_path_factory.mktemp("used") / "workspace")
    listener = bind("127.0.0.1", 0)
    settings = Settings(workspace=workspace.path, roots=(photos.parent,), port=listener.getsockname()[1])
    app = application(settings)
    with live(app, listener) as url:
        yield Server(url, app, workspace)


@contextmanager
def live(app: FastAPI, listener: socket.socket) -> Iterator[str]:
    """The address of an application while a thread of this process serves it."""
    uvicorn_server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False))
    thread = threading.Thread(target=uvicorn_server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_until(lambda: uvicorn_server.started, 30)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    app.state.stopping = uvicorn_server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="session")
def workspace(server: Server) -> "Workspace":
    """What is in the server's workspace."""
    return server.workspace


@pytest.fixture(scope="session")
def web(server: Server) -> Iterator[httpx.Client]:
    """A client of the server."""
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def predictor(server: Server) -> Iterator[None]:
    """The server's predictor, running; the first test that asks for it waits for torch."""
    server.app.state.predictor.start()
    assert server.app.state.predictor.wait_ready(PREDICTOR_START)
    yield
    server.app.state.predictor.close()


@pytest.fixture(scope="session")
def inspector() -> Iterator["Inspector"]:
    """One process that reads foreign files, for the whole run; the first test that asks for it waits for torch."""
    from app.failures import NotFound
    from app.inspector.client import Inspector

    found = Inspector()
    with pytest.raises(NotFound):
        found.ask("inspect", Path("no such file"), limit=1)
    yield found
    found.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, the system's own or Playwright's; tests that need it are skipped where there is none."""
    found = os.environ.get("CHROMIUM") or next((path for path in CHROMIUM if Path(path).exists()), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        except Error as error:
            pytest.skip(f"no Chromium: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Browser, server: Server) -> Iterator[Page]:
    """A page in a fresh browser context; the test fails if it logs an error, which violations of our policy do."""
    context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []
