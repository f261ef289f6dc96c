"""Reading the Retry-After header (RFC 9110, section 10.2.3): seconds, or a date."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

RETRY_AFTER_S_MAX = 86_400.0  # nobody means longer than a day


def seconds_of(value: str | None, *, now_s: float) -> float | None:
    """Return the seconds to wait, between 0 and a day, or None when there is no readable wish."""
    if value is None or len(value) > 64:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), RETRY_AFTER_S_MAX)
    try:
        moment_s = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return None
    return min(max(0.0, moment_s - now_s), RETRY_AFTER_S_MAX)
