"""Brings a database to this program's schema at start-up; of several processes only the first does it."""

import re

from sqlalchemy import Connection, Engine, inspect, text

from app.root import ROOT

SCRIPTS = ROOT / "app" / "store" / "alembic"
HEAD = "0003"  # the newest script in alembic/versions
_KNOWN = re.compile(r"^(\d{4})_\w+\.py$")


class SchemaTooNew(RuntimeError):
    """The workspace was last used by a newer program."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"This workspace was written by a newer Tessera (database version {version}, this one knows {HEAD}): "
            "update Tessera, or choose another workspace with TESSERA_WORKSPACE."
        )


def known_versions() -> set[str]:
    """The versions that this program has scripts for."""
    return {match.group(1) for path in (SCRIPTS / "versions").iterdir() if (match := _KNOWN.match(path.name))}


def current_version(connection: Connection) -> str | None:
    """The version of a database's schema; None where the database is new."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if version is None else str(version)


def _check(version: str | None) -> bool:
    """Whether the schema is up to date. Raises SchemaTooNew."""
    if version is not None and version not in known_versions():
        raise SchemaTooNew(version)
    return version == HEAD


def upgrade(engine: Engine) -> None:
    """Run the missing scripts in one transaction; processes that start at the same time wait for it."""
    with engine.connect() as connection:
        if _check(current_version(connection)):
            return
    with engine.execution_options(immediate=True).begin() as connection:
        if not _check(current_version(connection)):
            _run_scripts(connection)


def _run_scripts(connection: Connection) -> None:
    from alembic import command  # imported here because it takes a third of a second
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
