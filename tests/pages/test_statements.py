"""What a page asks the database: a record is looked up once for a request, however many parts of the page need it."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import Engine, event

from tests.conftest import Server

FRAME = 3  # what frames every page, the navigation, may ask for besides
NO_LOOK_UP = ("BEGIN", "PRAGMA")  # statements that look nothing up

# Of a page's own: its path below the names of the used workspace, and how many statements it may send.
OWN = {
    "/scans/{scan}": 10,
    "/scans/{scan}/units/conv3": 6,
    "/scans/{scan}/units/conv3/5": 6,
    "/scans/{scan}/search": 10,
    "/scans/{scan}/search?row=3&beside=pixels,random-init": 10,
    "/scans/{scan}/clusters": 8,
    "/clusters/{clustering}": 8,
    "/checkpoints/{checkpoint}": 12,
    "/checkpoints/{checkpoint}/filters": 6,
    "/checkpoints/{checkpoint}/count?gallery={gallery}&row=2": 10,
    "/compare?a={checkpoint}&b=random-init": 8,
}


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that look something up, as they are sent."""
    sent: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(NO_LOOK_UP):
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", hear)
    yield sent
    event.remove(engine, "before_cursor_execute", hear)


@pytest.mark.usefixtures("predictor")
@pytest.mark.parametrize("page", OWN)
def test_a_page_looks_its_records_up_once(web: httpx.Client, server: Server, page: str) -> None:
    address = page.format(**vars(server.workspace))
    with statements(server.services.store.engine) as sent:
        answer = web.get(address, headers={"accept": "text/html"})
    assert answer.status_code == 200
    assert len(sent) <= OWN[page] + FRAME, "\n".join(sent)


def test_what_frames_every_page_asks_for_little(web: httpx.Client, server: Server) -> None:
    with statements(server.services.store.engine) as sent:
        answer = web.get("/nowhere", headers={"accept": "text/html"})
    assert answer.status_code == 404 and "site-nav" in answer.text
    assert len(sent) <= FRAME, "\n".join(sent)
