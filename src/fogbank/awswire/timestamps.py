"""The three timestamp formats of AWS's protocols, to and from seconds since the epoch."""

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime


def from_text(text: str, format_: str) -> float:
    """Seconds since the epoch from `iso8601`, `rfc822` or `unixTimestamp`. Raises ValueError."""
    if format_ == "unixTimestamp":
        return float(text)
    moment = parsedate_to_datetime(text) if format_ == "rfc822" else datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def to_text(seconds: float, format_: str) -> str:
    """The text of a moment in `iso8601`, `rfc822` or `unixTimestamp`."""
    if format_ == "unixTimestamp":
        return repr(seconds)
    moment = datetime.fromtimestamp(seconds, UTC)
    if format_ == "rfc822":
        return format_datetime(moment, usegmt=True)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_second(seconds: float) -> str:
    """ISO 8601 to the second, as policies and credentials have it: `2026-11-23T10:15:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
