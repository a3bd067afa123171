"""What pictures take together while they are decoded is bounded, and given back."""

import io
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from app.processes import resident_bytes
from models.galleries.budget import DecodeBudget, NoTurn
from models.galleries.images import store_image


def test_at_most_the_limit_is_lent_and_everybody_gets_a_turn() -> None:
    budget, most, now, lock = DecodeBudget(100), [0], [0], threading.Lock()

    def work(size: int) -> None:
        with budget.lend(size):
            with lock:
                now[0] += min(size, 100)
                most[0] = max(most[0], now[0])
            time.sleep(0.01)
            with lock:
                now[0] -= min(size, 100)

    threads = [threading.Thread(target=work, args=(size,)) for size in (60, 30, 70, 1000, 10, 100, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert now[0] == 0 and 60 <= most[0] <= 100


def test_who_waits_too_long_is_told_and_an_error_inside_gives_back() -> None:
    budget = DecodeBudget(100, patience=0.05)
    with budget.lend(80), pytest.raises(NoTurn), budget.lend(30):
        raise AssertionError
    with pytest.raises(ZeroDivisionError), budget.lend(100):
        raise ZeroDivisionError
    with budget.lend(100):
        pass


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of this process is not known here")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_many_small_files_of_many_pixels_do_not_fill_the_memory(mode: str) -> None:
    sink = io.BytesIO()
    Image.new(mode, (4000, 4000)).save(sink, "PNG")
    data, budget = sink.getvalue(), DecodeBudget(200 << 20)
    store_image(data, budget)
    before, peak, done = resident_bytes(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], resident_bytes())

    watcher = threading.Thread(target=watch)
    threads = [threading.Thread(target=store_image, args=(data, budget)) for _ in range(6)]
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    # Unbounded, six of them take 800 MB to 2.4 GB.
    assert peak[0] - before < 500e6
    assert resident_bytes() - before < 200e6
