"""A page that is not whole yet, because something is still being loaded."""

from dataclasses import dataclass

from app.failures import Busy


@dataclass(frozen=True)
class Waiting:
    """What is being waited for, and the seconds after which the page asks again."""

    message: str
    retry_after: int


def waiting(busy: Busy | None) -> Waiting | None:
    """A refusal for now as a page tells of it."""
    return None if busy is None else Waiting(busy.message, busy.retry_after)
