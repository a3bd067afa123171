"""The database of a workspace, for short read and write transactions.

SQLite uses a rollback journal and no write-ahead log, which versions before 3.51.3 can corrupt with several writers.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker

from app.store.migrations import upgrade
from app.store.workspace import DATABASE, prepare_workspace

BUSY_TIMEOUT = 30_000  # milliseconds that a writer waits for another one
READ_TIMEOUT = 5_000  # milliseconds that a reader waits; writers keep readers out only while they commit


def _connect(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun only by _begin
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")  # first, because the next statement may have to wait
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT if immediate else READ_TIMEOUT}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def database_url(workspace: Path) -> URL:
    """The address of the workspace's own database. Made of parts, as in a string `?` and `%` mean other things."""
    return URL.create("sqlite", database=str(workspace / DATABASE))


def build_engine(url: str | URL) -> Engine:
    """An engine for the database; with SQLite, connections wait for each other instead of failing."""
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, pool_size=8, max_overflow=64)
    event.listen(engine, "connect", _connect)
    event.listen(engine, "begin", _begin)
    return engine


class Store:
    """Transactions on one workspace's tables.

    Keep transactions short: do no rendering and no work on files or the network inside their blocks.
    """

    def __init__(self, workspace: Path, engine: Engine) -> None:
        self.workspace = workspace
        self.engine = engine
        self._read = sessionmaker(engine, expire_on_commit=False)
        self._write = sessionmaker(engine.execution_options(immediate=True), expire_on_commit=False)

    @classmethod
    def open(cls, workspace: Path, url: str | None = None) -> "Store":
        """The store of a workspace; makes or migrates its database where needed.

        Raises SchemaTooNew, and Conflict where the folder cannot hold a workspace or has lost its database.
        """
        workspace = workspace.expanduser().resolve()
        prepare_workspace(workspace, own_database=url is None)
        engine = build_engine(url or database_url(workspace))
        try:
            upgrade(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(workspace, engine)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads; rows that it returned can be used after it."""
        with self._read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that takes the write lock when it begins, and commits at the end of the block."""
        with self._write.begin() as session:
            yield session

    def path(self, relative: str) -> Path:
        """The absolute path of a folder that a table names."""
        return self.workspace / relative

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
