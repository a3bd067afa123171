"""Pixels out of packs: JPEG rows decoded in threads (torchvision releases the GIL), always in row order."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg

from models.cores import usable_cores
from models.crops import region
from models.galleries.packs import Pack
from models.workers import workers

AHEAD = 64  # decoded images waiting for the consumer, per thread
Made = TypeVar("Made")


def decode(jpeg: bytes) -> Tensor:
    """A stored JPEG -> (3, H, W) uint8, RGB."""
    buffer = torch.from_numpy(np.frombuffer(jpeg, dtype=np.uint8).copy())
    image: Tensor = decode_jpeg(buffer, mode=ImageReadMode.RGB)
    return image


def decode_rows(pack: Pack, rows: Sequence[int], threads: int | None = None) -> Iterator[tuple[int, Tensor]]:
    """Each row's pixels, in the order of `rows`, decoded ahead in threads with a bounded number waiting."""
    return map_rows(pack, rows, lambda image: image, threads)


def map_rows(
    pack: Pack, rows: Sequence[int], make: Callable[[Tensor], Made], threads: int | None = None
) -> Iterator[tuple[int, Made]]:
    """The same of what `make` makes of the pixels, in the thread that decoded them."""
    threads = threads or usable_cores()

    def read(row: int) -> Made:
        return make(decode(pack.jpeg(row)))

    with workers(threads, "decode") as pool:
        waiting: deque[tuple[int, Future[Made]]] = deque()
        for row in rows:
            waiting.append((row, pool.submit(read, row)))
            if len(waiting) >= threads * AHEAD:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()


def regions_of(pack: Pack, rows: Sequence[int], side: int, *, enlarge: bool = False) -> list[Tensor]:
    """The central region of each row, (3, s, s) uint8 with s <= side."""
    return [region(image, side, enlarge=enlarge) for _, image in decode_rows(pack, rows)]
