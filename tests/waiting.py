"""Waits for something that another process or thread does."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], seconds: float, why_not: Callable[[], str] = str) -> None:
    """Return as soon as a condition holds; fail after some seconds, with what `why_not` says then."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {why_not()}"
        time.sleep(0.02)
