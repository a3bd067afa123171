"""Applications for tests: without child processes, and with what the first one prepared."""

import tempfile
from functools import cache
from pathlib import Path
from types import CodeType

from fastapi import FastAPI
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from starlette.routing import BaseRoute

from app.settings import Settings
from app.store.engine import Store
from app.store.workspace import DATABASE


class Compiled(BytecodeCache):
    """Templates that were compiled in this process."""

    def __init__(self) -> None:
        self.code: dict[str, CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.code.get(bucket.key)

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self.code[bucket.key] = bucket.code


TEMPLATES = Compiled()
ROUTES: list[BaseRoute] = []


def application(settings: Settings) -> FastAPI:
    """The application without its child processes; loaded here, because most tests of the science do without it.

    Routes and templates are prepared when they are first asked for, most of a second for all, and shared from then on.
    A new workspace gets a copy of an empty database: to migrate one takes ten times as long.
    """
    from app.main import create_app

    database = settings.workspace / DATABASE
    if not database.exists():
        settings.workspace.mkdir(parents=True, exist_ok=True)
        database.write_bytes(_empty_database())
    app = create_app(settings, start_children=False)
    if not ROUTES:
        ROUTES.extend(app.router.routes)
    app.router.routes = list(ROUTES)  # its own list: a test may add to it
    app.state.pages.environment.bytecode_cache = TEMPLATES
    return app


@cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Store.open(Path(folder)).close()
        return (Path(folder) / DATABASE).read_bytes()
