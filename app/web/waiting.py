"""What a page shows while something that it needs is still being loaded."""

from dataclasses import dataclass

from app.failures import Busy


@dataclass(frozen=True)
class Waiting:
    """What is being waited for, and the seconds after which the page asks again."""

    message: str
    retry_after: int


def waiting(busy: Busy | None) -> Waiting | None:
    """What a page shows of a service that is busy; None if it is not."""
    return None if busy is None else Waiting(busy.message, busy.retry_after)
