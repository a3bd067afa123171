"""A pipe from parent to child that ends when the parent does, however it ends: the child then leaves."""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

VARIABLE = "TESSERA_LIFELINE"
REQUEUE = 75  # EX_TEMPFAIL: "run me again later"


@dataclass(frozen=True)
class Lifeline:
    """The parent's side: keep `kept` open for as long as the child may live."""

    kept: int
    given: int

    @classmethod
    def open(cls) -> "Lifeline":
        """A new pipe; neither end is inherited unless it is passed on purpose."""
        given, kept = os.pipe()
        return cls(kept, given)

    def environment(self) -> Mapping[str, str]:
        """What the child's environment needs; its descriptor goes in `pass_fds=(lifeline.given,)`."""
        return {VARIABLE: str(self.given)}

    def started(self) -> None:
        """Close the child's end here, once the child has it."""
        os.close(self.given)

    def close(self) -> None:
        """End the line: a child that still lives leaves."""
        os.close(self.kept)


def leave() -> None:
    """Leave at once; whatever was written atomically is the state to go on from."""
    os._exit(REQUEUE)


def watch(ended: Callable[[], None] = leave) -> bool:
    """In the child: call `ended` from a thread of its own when the parent is gone; False if there is no line."""
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
