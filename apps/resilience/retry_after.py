"""Reading the Retry-After header (RFC 9110, section 10.2.3): seconds, or a date. Every vendor has its own idea of it.

what stands there              what it is read as
0                              0 seconds: come again at once
17, 1.5, 1e3                   that many seconds; only whole ones are standard, the others are seen and harmless
1000000000, 1e9, 999…9         a day, the longest wish that is granted (however many digits)
Sun, 06 Nov 1994 08:49:37 GMT  seconds until then, also in the two older forms; 0 when it is past
a date without a zone          the same, read as UTC
-5, inf, nan, soon, ""         nothing: the caller's own delays decide
5, 120 (or two header lines)   the longest of those that can be read: too late costs less than too early
more than 256 characters       nothing
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

WISH_S_MAX = 86_400.0  # nobody means longer than a day
LENGTH_MAX = 256
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE]\+?[0-9]{1,3})?")
_WISH = re.compile(r"\s*((?:[A-Za-z]{3,9},)?[^,]*)(?:,|$)")  # a date has a comma of its own, after the weekday


def seconds_of(value: str | None, *, now_s: float) -> float | None:
    """Return the seconds to wait, between 0 and a day, or None when there is no readable wish."""
    if value is None or len(value) > LENGTH_MAX:
        return None
    wishes_s = [_one(text.strip(), now_s) for text in _WISH.findall(value)]
    return max((wish_s for wish_s in wishes_s if wish_s is not None), default=None)


def _one(text: str, now_s: float) -> float | None:
    if _NUMBER.fullmatch(text):
        return min(float(text), WISH_S_MAX)
    if not text[:3].isalpha():
        return None  # every form of a date begins with the weekday
    try:
        moment = parsedate_to_datetime(text)
        moment_s = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError, OSError):
        return None
    return min(max(0.0, moment_s - now_s), WISH_S_MAX)
