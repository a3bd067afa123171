"""Numbers, times and sizes in the words that pages show."""

from datetime import UTC, datetime
from fractions import Fraction

from markupsafe import Markup, escape


def _moment(value: datetime | str) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _relative(seconds: float) -> str:
    for limit, size, unit in ((90, 1, "s"), (5400, 60, "min"), (129_600, 3600, "h"), (3_888_000, 86_400, "days")):
        if seconds < limit:
            return f"{round(seconds / size)} {unit} ago" if seconds >= 5 else "just now"
    return ""


def ago(value: datetime | str | None) -> Markup:
    """`3 min ago`, with the exact time (UTC) on hover; a time older than 45 days as its date."""
    if value is None:
        return Markup("–")
    moment = _moment(value).astimezone(UTC)
    text = _relative((datetime.now(UTC) - moment).total_seconds()) or moment.strftime("%d %b %Y")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.isoformat(timespec="seconds"), moment.strftime("%Y-%m-%d %H:%M:%S UTC"), text
    )


def timestamp(value: datetime | str | None) -> str:
    """A time as `2026-03-01 14:05:09 UTC`."""
    return _moment(value).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if value is not None else "–"


def number(value: float | int | None, digits: int = 3) -> str:
    """A number as text: whole ones grouped by thousands, others with `digits` significant digits."""
    if value is None or value != value:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def amount(value: float | Fraction) -> str:
    """How many of something there are: `3`, or `2.67` where only a part of one counts."""
    return str(int(value)) if value == int(value) else f"{float(value):.2f}"


def file_size(value: int | None) -> str:
    """A number of bytes as `1.2 MB`, in powers of ten."""
    if value is None:
        return "–"
    size = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def duration(seconds: float | None) -> str:
    """A number of seconds as `42 s`, `3 min 20 s`, `5 h 07 min` or `2 d 4 h`."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def percent(share: float | None, digits: int = 0) -> str:
    """A share 0..1 as `42 %`."""
    return "–" if share is None or share != share else f"{100 * share:.{digits}f} %"


def count(value: int, singular: str, plural: str = "") -> str:
    """A number with its noun: `1 image`, `2,400 images`."""
    return f"{value:,} {singular if value == 1 else plural or singular + 's'}"


def coded(value: str) -> Markup:
    """Text in which `words between backticks` are code."""
    parts = value.split("`")
    if len(parts) % 2 == 0:
        return escape(value)
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else part for i, part in enumerate(parts))
