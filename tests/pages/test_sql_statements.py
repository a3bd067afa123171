"""What a page asks the database: a record is looked up once for a request, however many parts of the page need it."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import Engine, event

from tests.conftest import Server

FRAME = 3  # statements that what frames every page may send
NO_LOOK_UP = ("BEGIN", "PRAGMA")  # statements that look nothing up

# Of a page's own: its path below the names of the used workspace, and how many statements it may send.
OWN = {
    "/scans": 4,
    "/scans/{scan}": 5,
    "/scans/{scan}/units/conv3": 5,
    "/scans/{scan}/units/conv3/5": 5,
    "/scans/{scan}/search": 10,
    "/scans/{scan}/search?row=3&beside=pixels,random-init": 10,
    "/scans/{scan}/clusters": 6,
    "/clusters": 2,
    "/clusters/{clustering}": 7,
    "/clusters/{clustering}/0": 4,
    "/checkpoints": 1,
    "/checkpoints/{checkpoint}": 10,
    "/checkpoints/{checkpoint}/filters": 5,
    "/checkpoints/{checkpoint}/count?gallery={gallery}&row=2": 10,
    "/compare?a={checkpoint}&b=random-init": 7,
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


def asked(web: httpx.Client, server: Server, address: str, status: int = 200) -> list[str]:
    """What a page sends to the database."""
    with statements(server.services.store.engine) as sent:
        answer = web.get(address, headers={"accept": "text/html"})
    assert answer.status_code == status and "site-nav" in answer.text
    return sent


@pytest.mark.usefixtures("predictor")
@pytest.mark.parametrize("page", OWN)
def test_a_page_looks_its_records_up_once(web: httpx.Client, server: Server, page: str) -> None:
    frame = asked(web, server, "/nowhere", 404)
    sent = asked(web, server, page.format(**vars(server.workspace)))
    assert len(sent) - len(frame) <= OWN[page], "\n".join(sent)


def test_what_frames_every_page_asks_for_little(web: httpx.Client, server: Server) -> None:
    assert len(asked(web, server, "/nowhere", 404)) <= FRAME
