"""docs/checkpoints.md says what the code reads and refuses."""

import re
from pathlib import Path

import pytest

from app.inspector.client import KINDS
from models.foreign import tables

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "checkpoints.md").read_text("utf-8")
TABLES = (tables.formats, tables.refused, tables.allowed, tables.codes, tables.names, tables.recognised)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_each_table_is_the_one_of_the_code(table: object) -> None:
    assert callable(table) and table() in TEXT, f"docs/checkpoints.md should hold:\n{table()}"  # type: ignore[operator]


def test_every_code_of_the_readers_is_in_the_table() -> None:
    raised = set()
    for path in [*(ROOT / "models" / "foreign").glob("*.py"), *(ROOT / "app" / "inspector").glob("*.py")]:
        text = path.read_text("utf-8")
        raised |= set(re.findall(r"(?:UnreadableWeights|_failure|BadQuery)\(\s*\"([a-z_]+)\"", text))
    assert raised <= set(tables.CODES)
    assert set(KINDS) <= set(tables.CODES)
    for code, kind in KINDS.items():
        assert tables.CODES[code][0] == kind.status
