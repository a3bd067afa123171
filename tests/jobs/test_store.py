"""The database: its schema is the tables', a newer one is refused, writers wait for each other."""

import errno
import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, OperationalError

from app.failures import Busy, Conflict, NoRoom
from app.jobs import registration
from app.known_errors import known_error
from app.store import engine
from app.store.engine import Store
from app.store.migrations import HEAD, SCRIPTS, SchemaTooNew
from app.store.tables import Base, NoteRow
from app.store.workspace import DATABASE, open_to_others
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


def test_the_journal_is_the_rollback_one(tmp_path: Path) -> None:
    with Store.open(tmp_path).engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "delete"


def test_the_supervisor_looks_for_the_files_that_the_science_writes() -> None:
    names = (registration.CARD, registration.MANIFEST, registration.SCAN, registration.CLUSTERING)
    assert names == (CARD, MANIFEST, SCAN, CLUSTERING)


ODD_NAMES = ("p%41x", "q?1", "y?uri=true", "w s/100% #1?x=é&a", "two\nlines", ":memory:", os.fsdecode(b"\xff"))


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_workspace_of_any_name_has_its_database_inside(tmp_path: Path, name: str) -> None:
    store = Store.open(tmp_path / name)
    with store.write() as session:
        session.add(NoteRow(subject="n", text="kept"))
    store.close()
    assert (tmp_path / name / DATABASE).stat().st_size > 0
    shutil.copytree(tmp_path / name, tmp_path / "moved")  # a workspace is its folder
    with Store.open(tmp_path / "moved").read() as session:
        assert session.query(NoteRow).one().text == "kept"


def test_names_that_differ_behind_a_question_mark_are_two_workspaces(tmp_path: Path) -> None:
    with Store.open(tmp_path / "q?1").write() as session:
        session.add(NoteRow(subject="n", text="kept"))
    with Store.open(tmp_path / "q?2").read() as session:
        assert session.query(NoteRow).count() == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q?1", "q?2"]


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_content_without_its_database_gets_no_new_one(tmp_path: Path, left: str) -> None:
    Store.open(tmp_path).close()
    (tmp_path / "galleries" / "pets").mkdir(parents=True)
    (tmp_path / DATABASE).unlink()
    if left == "an empty file":
        (tmp_path / DATABASE).touch()
    with pytest.raises(Conflict, match=r"has content \(galleries\), but its database tessera.db is missing or empty"):
        Store.open(tmp_path)
    assert not (tmp_path / DATABASE).exists() or (tmp_path / DATABASE).stat().st_size == 0


def test_an_empty_folder_and_an_empty_file_of_a_first_start_become_a_workspace(tmp_path: Path) -> None:
    (tmp_path / DATABASE).touch()
    (tmp_path / "galleries").mkdir()
    Store.open(tmp_path).close()
    assert (tmp_path / DATABASE).stat().st_size > 0


def test_a_new_workspace_is_for_its_owner_alone(tmp_path: Path) -> None:
    Store.open(tmp_path / "deep" / "workspace").close()
    assert not open_to_others(tmp_path / "deep" / "workspace")
    (tmp_path / "deep" / "workspace").chmod(0o755)
    assert open_to_others(tmp_path / "deep" / "workspace")


def test_a_file_and_what_cannot_be_written_are_no_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Conflict, match="is no folder, so it cannot be a workspace"):
            Store.open(place)
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name != DATABASE)  # root may write everything
    Store.open(tmp_path / "new").close()
    with pytest.raises(Conflict, match=r"needs the right to write it and tessera.db"):
        Store.open(tmp_path / "new")


def test_a_reader_gives_up_sooner_than_a_writer_and_says_that_the_database_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "READ_TIMEOUT", 20)
    store = Store.open(tmp_path)
    other = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OperationalError) as refused, store.read() as session:
        session.query(NoteRow).count()
    known = known_error(refused.value)
    assert isinstance(known, Busy) and known.code == "database_busy"
    other.execute("ROLLBACK")
    with store.read() as session:
        assert session.query(NoteRow).count() == 0
        assert session.execute(text("PRAGMA busy_timeout")).scalar_one() == 20
    with store.write() as session:
        assert session.execute(text("PRAGMA busy_timeout")).scalar_one() == engine.BUSY_TIMEOUT


def test_a_full_disk_and_a_damaged_database_are_told_as_such(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with pytest.raises(OperationalError) as full, store.write() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
        session.add(NoteRow(subject="n", text="x" * 100_000))
    assert isinstance(known_error(full.value), NoRoom)
    store.close()
    (tmp_path / DATABASE).write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseError) as damaged:
        Store.open(tmp_path)
    known = known_error(damaged.value)
    assert isinstance(known, Conflict) and known.code == "database_damaged"
    assert isinstance(known_error(OSError(errno.EDQUOT, "quota")), NoRoom)
    assert known_error(OSError(errno.EIO, "broken")) is None and known_error(ValueError("a defect")) is None
