"""What the documents say is there is there, and what is there is in the documents."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import typer
from fastapi import FastAPI

from app import cli, main
from app.settings import Settings
from models.recipes import RECIPES
from models.recipes.tables import renewed
from models.versions import own_version, versions

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCS = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
WRITTEN = {"README.md": README, **DOCS}


@cache
def commands() -> dict[str, list[str]]:
    """Every command with its options, as the program itself knows them."""
    group = typer.main.get_command(cli.app)
    return {
        name: [
            option
            for one in (command, *getattr(command, "commands", {}).values())
            for parameter in one.params
            for option in parameter.opts
        ]
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }


def code_blocks(text: str) -> list[str]:
    return [
        line.split("  #")[0].strip()
        for block in re.findall(r"```bash\n(.*?)```", text, re.S)
        for line in block.splitlines()
    ]


def test_the_first_lines_of_the_readme_are_the_two_commands() -> None:
    first = "\n".join(README.splitlines()[:15])
    assert re.search(r"^make demo\b", first, re.M) and re.search(r"^make test\b", first, re.M)


@pytest.mark.parametrize("name", WRITTEN)
def test_every_make_target_that_is_named_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.M))
    named = {match for line in code_blocks(WRITTEN[name]) for match in re.findall(r"^make ([a-z]+)", line)}
    named |= set(re.findall(r"`make ([a-z]+)`", WRITTEN[name]))
    assert named <= targets


@pytest.mark.parametrize("name", WRITTEN)
def test_every_command_that_is_shown_exists_with_its_options(name: str) -> None:
    shown = [line for line in code_blocks(WRITTEN[name]) if "tessera " in line and not line.startswith("curl")]
    shown += re.findall(r"`((?:\.venv/bin/)?tessera [a-z][^`]*)`", WRITTEN[name])
    for line in shown:
        words = line[line.index("tessera ") :].split()
        command, options = words[1], [word for word in words[2:] if word.startswith("--")]
        assert command in commands(), line
        assert set(options) <= {*commands()[command], "--no-torch"}, line


def test_every_command_and_option_explains_itself() -> None:
    group = typer.main.get_command(cli.app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        for one in (command, *getattr(command, "commands", {}).values()):
            assert one.help, name
            for parameter in one.params:
                assert getattr(parameter, "help", None), f"{name} {parameter.name}"


def test_the_changelog_names_every_command() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert all(name in changes for name in commands())


def test_the_newest_changes_are_those_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    newest = re.search(r"^## (\S+) \(\d{4}-\d\d-\d\d\)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert newest is not None and newest[1] == project["version"] == own_version()
    assert versions("numpy") == {"tessera": own_version(), "numpy": np.__version__}


def test_every_setting_is_documented_with_its_default() -> None:
    text = DOCS["operations.md"]
    for name, field in Settings.model_fields.items():
        row = next((line for line in text.splitlines() if line.startswith(f"| `TESSERA_{name.upper()}`")), None)
        assert row, f"TESSERA_{name.upper()} is missing from docs/operations.md"
        if isinstance(field.default, int) and not isinstance(field.default, bool):
            assert f"`{field.default}`" in row


def test_no_setting_is_documented_that_does_not_exist() -> None:
    named = {match for text in WRITTEN.values() for match in re.findall(r"TESSERA_([A-Z_]+)", text)}
    assert named <= {name.upper() for name in Settings.model_fields}


_NAME = r"`[A-Za-z_]\w*`"
_NAMES = rf"({_NAME}(?:(?:, | and |, and | or ){_NAME})*)"
_FILE = r"`([a-z]\w*/[\w/]+\.(?:py|html|css|js))`"


def test_names_that_are_said_to_be_in_a_file_are_in_it() -> None:
    """Written as "`NAME` in `models/some.py`", "`NAME` of ...", or "`models/some.py` (`NAME`, ...)"."""
    said = {
        (file, name.strip("`"))
        for text in WRITTEN.values()
        for line in [" ".join(text.split())]
        for names, file in (
            *re.findall(rf"{_NAMES} (?:in|of) {_FILE}", line),
            *((names, file) for file, names in re.findall(rf"{_FILE} \({_NAMES}", line)),
        )
        for name in re.findall(_NAME, names)
    }
    assert len(said) > 50
    wrong = {(file, name) for file, name in said if not re.search(rf"\b{name}\b", (ROOT / file).read_text("utf-8"))}
    assert wrong == set()


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return main.create_app(Settings(workspace=tmp_path_factory.mktemp("docs")), start_children=False)


def test_every_address_of_the_api_is_documented(application: FastAPI) -> None:
    documented = {(method, path.split("?")[0]) for method, path in re.findall(r"`(GET|POST) (/\S*?)`", DOCS["api.md"])}
    there = {
        (method, path)
        for path, methods in application.openapi()["paths"].items()
        for method in (name.upper() for name in methods)
        if path.startswith("/api")
    }
    assert there - documented == set(), "not in docs/api.md"
    public = {(method, path) for method, path in documented if path.startswith("/api")}
    assert public - there == set(), "in docs/api.md only"


def test_every_task_is_documented_with_the_values_of_its_recipes() -> None:
    for task in RECIPES:
        assert f"## {task}\n" in DOCS["tasks.md"]
        assert f"<!-- settings: {task} -->\n" in DOCS["tasks.md"]
    assert renewed(DOCS["tasks.md"]) == DOCS["tasks.md"], "run `make docs`"


def test_links_between_the_documents_lead_somewhere() -> None:
    for name, text in WRITTEN.items():
        folder = ROOT if name == "README.md" else ROOT / "docs"
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (folder / target).exists(), f"{name}: {target}"


@pytest.mark.parametrize("name", ["architecture.md", "contributing.md"])
def test_every_file_and_folder_that_is_named_exists(name: str) -> None:
    named = set(re.findall(r"`((?:app|models|templates|static|tests|docs|benchmarks)/[\w/.-]*)`", DOCS[name]))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_make_file_is_one_that_make_understands() -> None:
    ran = subprocess.run(["make", "-n", "check"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "pytest" in ran.stdout and "mypy" in ran.stdout and "ruff format --check" in ran.stdout
