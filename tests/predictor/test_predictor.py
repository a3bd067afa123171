"""The predictor answers for the server, survives its own death, and never keeps a caller waiting without end."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from app.failures import BadQuery, Busy, Conflict
from app.predictor import client
from app.predictor.client import QUEUE, Predictor
from app.predictor.messages import NetworkRef
from app.settings import Settings
from models.card import WEIGHTS, file_sha256, read_card, write_card
from tests.conftest import Server

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Bench:
    """The server's predictor, running; a checkpoint and a changed copy of it; an image to ask about."""

    predictor: Predictor
    checkpoint: Path
    other: Path
    jpeg: bytes

    def network(self, folder: Path | None = None) -> NetworkRef:
        return NetworkRef(str(folder or self.checkpoint), read_card(folder or self.checkpoint).weights_sha256)


@pytest.fixture(scope="module")
def bench(server: Server, predictor: None, tmp_path_factory: pytest.TempPathFactory) -> Bench:  # noqa: ARG001
    services, workspace = server.services, server.workspace
    checkpoint = services.checkpoints.get(workspace.checkpoint).folder
    other = tmp_path_factory.mktemp("other") / "checkpoint"
    shutil.copytree(checkpoint, other)
    tensors = {name: 0.9 * tensor for name, tensor in load_file(checkpoint / WEIGHTS).items()}
    save_file(tensors, other / WEIGHTS)
    write_card(other, replace(read_card(checkpoint), weights_sha256=file_sha256(other / WEIGHTS)))
    return Bench(server.app.state.predictor, checkpoint, other, services.galleries.jpeg(workspace.gallery, 0))


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_counts_embeds_and_maps(bench: Bench) -> None:
    counted = bench.predictor.count(bench.network(), bench.jpeg)
    assert counted.whole.shape == (8,) and counted.tiles.shape == (4, 8)
    embedded = bench.predictor.embed(bench.network(), bench.jpeg, "counts")
    assert embedded.vector == pytest.approx(counted.whole, abs=1e-5)
    assert bench.predictor.heatmap(bench.network(), bench.jpeg, "conv1", 3).values.ndim == 2
    points = bench.predictor.curve(bench.network(), bench.jpeg, (0.5, 0.9))
    assert [point.area for point in points] == [0.5, 0.9]


def test_networks_are_told_apart(bench: Bench) -> None:
    first = bench.predictor.embed(bench.network(), bench.jpeg, "conv3").vector
    assert not np.allclose(first, bench.predictor.embed(bench.network(bench.other), bench.jpeg, "conv3").vector)
    assert np.array_equal(first, bench.predictor.embed(bench.network(), bench.jpeg, "conv3").vector)


def test_a_predictor_that_was_not_started_is_busy() -> None:
    with pytest.raises(Busy, match="being loaded") as starting:
        Predictor(Settings()).count(NetworkRef("", ""), b"")
    assert starting.value.status == 503 and starting.value.retry_after >= 1


def test_a_question_that_does_not_fit_is_the_askers_fault(bench: Bench) -> None:
    with pytest.raises(BadQuery, match="no layer 'conv9'"):
        bench.predictor.embed(bench.network(), bench.jpeg, "conv9")
    with pytest.raises(BadQuery, match="less than a pixel"):
        bench.predictor.count(bench.network(), bench.jpeg, box=(500, 500, 600, 600))


def test_other_weights_than_those_registered_are_refused(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="not the ones that were registered"):
        bench.predictor.count(NetworkRef(str(bench.checkpoint), "0" * 64), bench.jpeg)
    with pytest.raises(Conflict, match="gone or damaged"):
        bench.predictor.count(NetworkRef(str(tmp_path / "nowhere"), "0" * 64), bench.jpeg)
    changed = tmp_path / "changed"
    shutil.copytree(bench.other, changed)
    weights = bytearray((changed / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (changed / WEIGHTS).write_bytes(bytes(weights))
    with pytest.raises(Conflict) as refused:
        bench.predictor.count(bench.network(changed), bench.jpeg)
    assert refused.value.code == "checkpoint_changed"


def test_a_defect_is_not_told_to_the_visitor(bench: Bench) -> None:
    with pytest.raises(RuntimeError, match="its log says why"):
        bench.predictor.count(bench.network(), b"not a jpeg")
    assert bench.predictor.count(bench.network(), bench.jpeg) is not None


def test_a_full_queue_and_a_slow_answer_are_busy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, network = bench.predictor, bench.network()
    assert predictor.pid is not None
    os.kill(predictor.pid, signal.SIGSTOP)
    monkeypatch.setattr(predictor, "_timeout", 0.3)
    outcomes: list[str] = []

    def ask() -> None:
        with pytest.raises(Busy) as busy:
            predictor.count(network, bench.jpeg)
        outcomes.append(busy.value.code)

    callers = [threading.Thread(target=ask) for _ in range(QUEUE + 4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    os.kill(predictor.pid, signal.SIGCONT)
    assert sorted(outcomes) == ["predictor_busy"] * 4 + ["predictor_slow"] * QUEUE
    monkeypatch.setattr(predictor, "_timeout", 30)
    wait_for(lambda: not predictor._pending)  # the answers that nobody awaited have come and made room
    assert predictor.count(network, bench.jpeg).whole.shape == (8,)


def test_it_comes_back_after_being_killed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    predictor = bench.predictor
    first = predictor.pid
    assert first is not None
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.01)
    with caplog.at_level(logging.WARNING, logger="app.predictor.client"):
        os.kill(first, signal.SIGSTOP)

        def ask() -> None:
            with pytest.raises(Busy, match="was lost"):
                predictor.count(bench.network(), bench.jpeg)

        caller = threading.Thread(target=ask)
        caller.start()
        wait_for(lambda: bool(predictor._pending))
        os.kill(first, signal.SIGKILL)
        caller.join(10)
        assert not caller.is_alive()  # whoever waited was told at once
        wait_for(lambda: predictor.pid not in (None, first) and predictor.wait_ready(0), 120)
    assert "starting it again" in caplog.text
    assert predictor.count(bench.network(), bench.jpeg).whole.shape == (8,)


def test_one_that_reads_nothing_blocks_nobody_and_is_replaced(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, first = bench.predictor, bench.predictor.pid
    assert first is not None
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(client, "HUNG", 2.0)
    monkeypatch.setattr(predictor, "_timeout", 0.5)
    outcomes: list[str] = []

    def ask() -> None:
        with pytest.raises(Busy) as busy:
            predictor.count(bench.network(), bench.jpeg + bytes(200_000))  # together more than any pipe holds
        outcomes.append(busy.value.code)

    os.kill(first, signal.SIGSTOP)
    callers = [threading.Thread(target=ask) for _ in range(QUEUE + 8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    assert sorted(outcomes) == ["predictor_busy"] * 8 + ["predictor_slow"] * QUEUE
    wait_for(lambda: predictor.pid not in (None, first) and predictor.wait_ready(0), 120)
    monkeypatch.setattr(predictor, "_timeout", 30)
    assert predictor.count(bench.network(), bench.jpeg).whole.shape == (8,)


def test_it_leaves_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import time; from app.predictor.client import Predictor; from app.settings import Settings;"
        f"p = Predictor(Settings(workspace={str(tmp_path)!r}, device='cpu')); p.start();"
        "time.sleep(0.5); print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    wait_for(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])


def test_the_clients_side_needs_no_torch() -> None:
    code = "import sys, app.predictor.client; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
