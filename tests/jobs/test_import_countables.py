"""Drawing a gallery goes on where it was interrupted, and changes nothing of what was published."""

from pathlib import Path
from typing import Any

import pytest

from app.jobs.context import JobContext, Stopped
from app.jobs.kinds import import_images
from app.jobs.spec import JobSpec, Output
from models.galleries.packs import Pack

pytestmark = pytest.mark.jobs

SOURCE = {"kind": "countables", "seed": 1, "scenes": 12, "sweeps": False, "split": "train"}


class StoppingContext(JobContext):
    at: int | None = None

    def progress(self, step: int, total: int | None, unit: str, *rest: Any, **named: Any) -> None:
        if step == self.at:
            self.stop()
        super().progress(step, total, unit, *rest, **named)


def job(workspace: Path, at: int | None = None) -> StoppingContext:
    folder = workspace / "jobs/1"
    folder.mkdir(parents=True, exist_ok=True)
    output = Output("gallery", "scenes", "galleries/scenes")
    JobSpec("1", "import", str(workspace), {"name": "scenes", "source": SOURCE}, {}, output).write(folder)
    context = StoppingContext.open(folder)
    assert isinstance(context, StoppingContext)
    context.at = at
    return context


def content(workspace: Path) -> list[tuple[str, str, bytes, Any]]:
    with Pack.open(workspace / "galleries/scenes") as pack:
        pack.verify()
        rows = pack.metadata(range(len(pack)))
        return [(row.path, row.sha256, pack.jpeg(n), pack.truth(n)) for n, row in enumerate(rows)]


def test_an_interrupted_drawing_keeps_what_was_published_and_ends_as_if_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_images, "FIRST_ROWS", 3)
    with pytest.raises(Stopped):
        import_images.run(job(tmp_path / "stopped", at=11))
    published = content(tmp_path / "stopped")
    assert len(published) == 9  # shards of 3 and 6; the next one was not finished
    import_images.run(job(tmp_path / "stopped"))
    import_images.run(job(tmp_path / "whole"))
    assert content(tmp_path / "stopped")[:9] == published
    assert content(tmp_path / "stopped") == content(tmp_path / "whole")
    with Pack.open(tmp_path / "whole/galleries/scenes") as pack:
        assert [shard.rows for shard in pack.shards] == [3, 6, 3]
