"""The states of a job, as they are called in the table and in answers.

queued -> running -> done | failed | cancelled        blocked: a job it waits for failed or was cancelled
running -> queued (its process was lost)              running -> cancelling -> cancelled
"""

from typing import Final, Literal, get_args

State = Literal["queued", "running", "cancelling", "done", "failed", "cancelled", "blocked"]

STATES: Final[tuple[State, ...]] = get_args(State)
WAITING: Final = ("queued", "blocked")
ACTIVE: Final = ("running", "cancelling")
ENDED: Final = ("done", "failed", "cancelled")
RESUMABLE: Final = ("failed", "cancelled")
