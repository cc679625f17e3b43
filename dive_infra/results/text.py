"""Short forms for people: one line of a text or message, how long ago something was, and when, in UTC."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time by this machine's clock, in UTC."""
    return datetime.now(UTC)


def first_line(message: str | BaseException) -> str:
    """Return the first line of a text or of an error's message; the type's name of an error without a message."""
    words = str(message).strip()
    if not words and isinstance(message, BaseException):
        return type(message).__name__
    return words.partition("\n")[0].rstrip()


def printable(text: object) -> str:
    """Return a text in one line, as a terminal can show it: control characters are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def age(moment: str) -> float:
    """Return the seconds since a moment (ISO 8601 with its zone)."""
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


def ago(seconds: float | None) -> str:
    """Return an age in words: `42 s ago`, `3 min ago`, `2 h ago`, `5 days ago`; `never` for None."""
    if seconds is None:
        return "never"
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def clock(moment: datetime) -> str:
    """Return a time of day with its zone: `12:00:05 UTC`."""
    return f"{moment.astimezone(UTC):%H:%M:%S} UTC"


def day(moment: datetime) -> str:
    """Return a moment with its zone: `2026-11-24 12:00:05 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
