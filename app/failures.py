"""Failures that a user can act on; services raise them, and app/web/errors.py turns each into an HTTP answer.

DomainError
├── BadRequest 400   cannot be parsed
├── Forbidden  403   outside the configured roots
├── NotFound   404   unknown gallery, checkpoint, scan, job, row, layer, unit
├── Conflict   409   the state does not allow it
├── TooLarge   413   more bytes or pixels than allowed
├── WrongType  415   not a format that is accepted
├── BadQuery   422   well formed, but not valid
├── NoRoom     507   the disk is full
└── Busy       503   try again in `retry_after` seconds
"""

from typing import ClassVar


class DomainError(Exception):
    """A failure: `code` is for programs, `message` for people, `detail` (JSON data) for both."""

    status: ClassVar[int] = 500

    def __init__(self, code: str, message: str, detail: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail


class BadRequest(DomainError):
    status = 400


class Forbidden(DomainError):
    status = 403


class NotFound(DomainError):
    status = 404


class Conflict(DomainError):
    status = 409


class TooLarge(DomainError):
    status = 413


class WrongType(DomainError):
    status = 415


class BadQuery(DomainError):
    status = 422


class NoRoom(DomainError):
    status = 507


class Busy(DomainError):
    """The service cannot answer now, but can later; `retry_after` is in seconds."""

    status = 503

    def __init__(self, code: str, message: str, detail: object = None, *, retry_after: int = 2) -> None:
        super().__init__(code, message, detail)
        self.retry_after = retry_after
