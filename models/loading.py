"""Pixels out of packs: JPEG rows decoded in threads (torchvision releases the GIL), always in row order."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg

from models.packs import Pack

AHEAD = 64  # decoded images waiting for the consumer, per thread


def decode(jpeg: bytes) -> Tensor:
    """A stored JPEG -> (3, H, W) uint8, RGB."""
    buffer = torch.from_numpy(np.frombuffer(jpeg, dtype=np.uint8).copy())
    image: Tensor = decode_jpeg(buffer, mode=ImageReadMode.RGB)
    return image


def _read(pack: Pack, row: int) -> Tensor:
    return decode(pack.jpeg(row))


def decode_rows(pack: Pack, rows: Sequence[int], threads: int | None = None) -> Iterator[tuple[int, Tensor]]:
    """Each row's pixels, in the order of `rows`, decoded ahead in threads with a bounded number waiting."""
    threads = threads or os.cpu_count() or 1
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: deque[tuple[int, Future[Tensor]]] = deque()
        for row in rows:
            waiting.append((row, pool.submit(_read, pack, row)))
            if len(waiting) >= threads * AHEAD:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()
