"""Lifelines: pipes from a parent to a child that close when the parent ends in whatever way, so that the child ends."""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

VARIABLE = "TESSERA_LIFELINE"
DISK_FULL = 74  # exit status of a process that found no room even to write why it failed
REQUEUE = 75  # EX_TEMPFAIL: "run me again later"


@dataclass(frozen=True)
class Lifeline:
    """The two ends of a lifeline: the parent keeps `kept` open while the child may live, the child has `given`."""

    kept: int
    given: int

    @classmethod
    def open(cls) -> "Lifeline":
        """A new pipe; children inherit neither end unless it is passed to them."""
        given, kept = os.pipe()
        return cls(kept, given)

    def environment(self) -> Mapping[str, str]:
        """The variable for the child's environment; the descriptor itself is passed by `pass_fds=(lifeline.given,)`."""
        return {VARIABLE: str(self.given)}

    def started(self) -> None:
        """Close the child's end in the parent, once the child has been started."""
        os.close(self.given)

    def close(self) -> None:
        """Close the lifeline; a child that still runs then ends."""
        os.close(self.kept)


def leave() -> None:
    """End this process at once; the next attempt continues from the state that was saved last."""
    os._exit(REQUEUE)


def watch(ended: Callable[[], None] = leave) -> bool:
    """In the child: call `ended` in a thread when the parent has ended; returns False where there is no lifeline."""
    number = os.environ.pop(VARIABLE, None)
    if number is None:
        return False
    descriptor = int(number)
    os.set_inheritable(descriptor, False)

    def wait() -> None:
        while os.read(descriptor, 64):
            pass
        ended()

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
    return True
