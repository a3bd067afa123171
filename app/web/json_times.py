"""Times as text for JSON."""

from datetime import UTC, datetime


def rfc3339(moment: datetime, *, timespec: str = "auto") -> str:
    """A time as `2026-03-01T14:05:09Z` (RFC 3339, in UTC); `timespec` is that of `datetime.isoformat`."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
