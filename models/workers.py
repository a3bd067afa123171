"""Threads that work beside a computation without slowing it down.

A thread that enters a parallel region of OpenMP gets a team of its own. Once all teams together have more threads than
there are cores, GNU's OpenMP no longer waits actively between regions, in any team, and a network's layers lose up to a
third of their speed to waking up. So each of these threads computes without a team.
"""

from concurrent.futures import ThreadPoolExecutor

import torch
from threadpoolctl import threadpool_limits


def workers(count: int, name: str) -> ThreadPoolExecutor:
    """A pool of `count` threads, each of which computes on itself only; other threads keep their teams."""
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_alone)


def _alone() -> None:
    torch.get_num_threads()  # torch gives a new thread its number at the first question, so before ours
    threadpool_limits(1, user_api="openmp")
