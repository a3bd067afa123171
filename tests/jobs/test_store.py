"""The database: its schema is the tables', a newer one is refused, writers wait for each other."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.jobs import registration
from app.store.engine import Store
from app.store.migrations import HEAD, SCRIPTS, SchemaTooNew
from app.store.tables import Base, NoteRow
from models.card import CARD
from models.clusters.files import CLUSTERING
from models.galleries.packs import MANIFEST
from models.scans.files import SCAN


def test_the_scripts_make_exactly_the_tables(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert ScriptDirectory(str(SCRIPTS)).get_current_head() == HEAD


def test_a_newer_database_is_refused_in_one_line(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with store.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(SchemaTooNew, match="written by a newer Tessera") as raised:
        Store.open(tmp_path)
    assert "\n" not in str(raised.value)


def test_several_processes_may_open_a_new_workspace_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        stores = list(pool.map(lambda _: Store.open(tmp_path), range(6)))
    with stores[0].read() as session:
        assert session.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_writers_wait_for_each_other_and_nothing_is_lost(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with store.write() as session:
        session.add(NoteRow(subject="n", text="0"))

    def add_one(_: int) -> None:
        with store.write() as session:
            note = session.query(NoteRow).one()
            note.text = str(int(note.text) + 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_one, range(80)))
    with store.read() as session:
        assert session.query(NoteRow).one().text == "80"


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with pytest.raises(RuntimeError), store.write() as session:
        session.add(NoteRow(subject="n", text="0"))
        session.flush()
        raise RuntimeError
    with store.read() as session:
        assert session.query(NoteRow).count() == 0


def test_the_journal_is_the_rollback_one_and_connections_are_patient(tmp_path: Path) -> None:
    with Store.open(tmp_path).engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "delete"
        assert connection.execute(text("PRAGMA busy_timeout")).scalar_one() == 30_000


def test_the_supervisor_looks_for_the_files_that_the_science_writes() -> None:
    names = (registration.CARD, registration.MANIFEST, registration.SCAN, registration.CLUSTERING)
    assert names == (CARD, MANIFEST, SCAN, CLUSTERING)
