"""The command line: quick to answer, plain when something is wrong, the same jobs as the web."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from app import cli
from app.console import demo
from app.console.commands import explain, overrides
from app.console.doctor import Check, database, left_over, torch_works, workspace
from app.console.foreground import opened
from app.failures import BadQuery, NotFound
from app.jobs.kinds import import_images
from app.services.checkpoints import bundled
from app.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path) -> tuple[int, str]:
    """Exit status and standard output of a command, in this process."""
    result = CliRunner().invoke(cli.app, [str(word) for word in arguments], catch_exceptions=False)
    return result.exit_code, result.stdout


def photos(root: Path) -> Path:
    """A folder of two classes of small pictures."""
    for place, name in enumerate(("cats/1", "cats/2", "dogs/1", "dogs/2")):
        path = root / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((64, 48), 20 + 40 * place).convert("RGB").save(path)
    return root / "photos"


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace into which a folder was imported by the program, in the foreground: a whole job."""
    root = tmp_path_factory.mktemp("cli")
    status, text = run("import", photos(root), "--name", "Pets", "--workspace", root / "w", "--json")
    job = json.loads(text)
    assert (status, job["state"], job["kind"]) == (0, "done", "import")
    return root / "w"


def test_help_loads_nothing_that_takes_long() -> None:
    code = (
        "import sys\n"
        "from app import cli\n"
        "try:\n    cli.app(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "assert not {'torch', 'fastapi', 'numpy', 'sqlalchemy', 'pydantic'} & set(sys.modules), 'too much'\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_the_help_names_every_command() -> None:
    status, text = run("--help")
    assert status == 0
    for name in ("serve", "demo", "import", "train", "scan", "search", "count", "jobs", "doctor", "worker"):
        assert re.search(rf"^\W*{name}\b", text, re.M)


@pytest.mark.jobs
def test_a_folder_is_imported_with_its_labels(pets: Path) -> None:
    with opened(Settings(workspace=pets)) as services:
        assert services.galleries.get("pets").rows == 4
        assert services.galleries.facets("pets").labels == {"cats": 2, "dogs": 2}


@pytest.mark.jobs
def test_the_same_import_again_is_there_already(pets: Path) -> None:
    status, text = run("import", pets.parent / "photos", "--name", "Pets", "--workspace", pets, "--detach")
    assert status == 0 and "the same was submitted before" in text
    status, text = run("import", pets.parent / "photos", "--name", "Pets", "--workspace", pets)
    assert "4 images, 0 files left out" in text
    status, text = run("jobs", "--workspace", pets)
    assert status == 0 and re.search(r"1\s+import\s+done", text)


def test_a_job_can_be_submitted_looked_at_and_cancelled(tmp_path: Path) -> None:
    place = ("--workspace", tmp_path / "w")
    status, text = run("import", photos(tmp_path), *place, "--detach", "--json")
    assert (status, json.loads(text)["state"]) == (0, "queued")
    status, text = run("jobs", "1", "--cancel", *place, "--json")
    assert json.loads(text)["state"] == "cancelled"
    status, text = run("jobs", *place, "--json")
    assert [job["id"] for job in json.loads(text)] == ["1"]


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    """The program itself: a message and status 1, no trace."""
    program = [sys.executable, "-m", "app.cli", "jobs", "7", "--workspace", str(tmp_path)]
    ran = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.strip() == "There is no job of this id."


def test_a_setting_out_of_range_names_its_variable() -> None:
    with pytest.raises(ValueError) as caught:
        Settings(port=0)
    assert (explain(caught.value) or "").startswith("TESSERA_PORT: ")
    assert explain(NotFound("x", "There is no such thing.")) == "There is no such thing."
    assert explain(RuntimeError("ours")) is None


@pytest.mark.parametrize(
    "arguments", [("search", "s"), ("search", "s", "--row", "1", "README.md"), ("jobs", "--cancel")]
)
def test_a_command_that_lacks_something_says_what(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(cli.app, list(arguments))
    assert result.exit_code == 2
    assert re.search(r"one of the two|name the job", result.output)


def test_settings_of_a_recipe_are_numbers_words_and_switches() -> None:
    assert overrides(["steps=500", "lr=1e-4", "flip=true", "normalise=input"]) == {
        "steps": 500,
        "lr": 1e-4,
        "flip": True,
        "normalise": "input",
    }
    with pytest.raises(BadQuery, match="name=value"):
        overrides(["steps"])


def test_a_file_that_is_no_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(BadQuery, match=r"neither a folder nor"):
        run("import", tmp_path / "notes.txt", "--workspace", tmp_path / "w")
    with pytest.raises(NotFound, match=r"There is no folder and no file .*photos\.csv"):
        run("import", tmp_path / "photos.csv", "--workspace", tmp_path / "w")


def test_a_clone_without_the_sample_checkpoint_still_has_a_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "SAMPLES", tmp_path / "nothing")
    monkeypatch.setattr(import_images, "FIRST_ROWS", 2)
    demo.prepare(Settings(workspace=tmp_path / "w"))
    with opened(Settings(workspace=tmp_path / "w")) as services:
        assert [job.kind for job in services.jobs.list().jobs] == ["import", "import"]


def test_the_doctor_finds_a_new_workspace_well_and_says_where_there_is_none(tmp_path: Path) -> None:
    settings = Settings(workspace=tmp_path / "w")
    assert [check.status for check in workspace(settings)] == ["warn"]
    assert not settings.workspace.exists()  # it only looks
    with opened(settings):
        pass
    assert {check.status for check in workspace(settings)} == {"ok"}


def test_the_doctor_tries_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    assert [check.message for check in workspace(Settings(workspace=tmp_path / "file"))] == [
        f"{tmp_path / 'file'} is no folder, so it cannot be a workspace."
    ]
    with opened(Settings(workspace=tmp_path / "w")):
        pass
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everything
    assert "fail" in {check.status for check in workspace(Settings(workspace=tmp_path / "w"))}
    assert [check.status for check in workspace(Settings(workspace=tmp_path / "new"))] == ["fail"]


def test_what_cannot_be_opened_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "tessera.db").write_bytes(b"not a database" * 100)
    for place, words in (("file", "is no folder"), ("w", "is damaged")):
        with pytest.raises(SystemExit), pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "argv", ["tessera", "jobs", "--workspace", str(tmp_path / place)])
            cli.main()
        told = capsys.readouterr().err
        assert words in told and told.count("\n") == 1


def test_the_doctor_sees_a_damaged_database_and_forgotten_files(tmp_path: Path) -> None:
    (tmp_path / "tessera.db").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 20)
    assert database(tmp_path / "tessera.db").status == "fail"
    forgotten = tmp_path / "galleries" / ".pets.1.tmp"
    forgotten.mkdir(parents=True)
    assert left_over(tmp_path).status == "ok"  # young: it may be in use
    os.utime(forgotten, (0, 0))
    assert left_over(tmp_path) == Check("temporary files", "warn", "left over, safe to delete: galleries/.pets.1.tmp")


@pytest.mark.jobs
def test_the_doctor_sees_a_pack_that_was_changed(pets: Path, tmp_path: Path) -> None:
    shutil.copytree(pets, tmp_path / "w")
    shard = next((tmp_path / "w" / "galleries" / "pets").glob("*.arrow"))
    assert run("doctor", "--no-torch", "--workspace", tmp_path / "w")[0] == 0
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    status, text = run("doctor", "--no-torch", "--json", "--workspace", tmp_path / "w")
    found = {check["name"]: check for check in json.loads(text)}
    assert status == 1
    assert found["packs"]["status"] == "fail" and f"pets/{shard.name}" in found["packs"]["message"]
    assert found["checkpoints"]["status"] == "ok"


def test_libraries_that_do_not_fit_together_are_reported_by_their_last_line() -> None:
    check = torch_works("raise RuntimeError('operator torchvision::nms does not exist')")
    assert check.status == "fail" and "torchvision::nms" in check.message
