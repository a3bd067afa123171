"""How answers write a moment."""

from datetime import UTC, datetime, timedelta, timezone

from app.web.json_times import rfc3339

NOON = datetime(2026, 3, 1, 12, 0, 5, 9_000, tzinfo=UTC)


def test_a_moment_is_written_in_utc_wherever_it_was_taken() -> None:
    assert rfc3339(NOON) == "2026-03-01T12:00:05.009000Z"
    assert rfc3339(NOON.astimezone(timezone(timedelta(hours=-5)))) == rfc3339(NOON)


def test_a_moment_may_be_as_short_as_is_wanted() -> None:
    assert rfc3339(NOON, timespec="milliseconds") == "2026-03-01T12:00:05.009Z"
