"""How far bars lie apart, and which bar is another one come twice; pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low

SPACINGS = 20  # how many of the newest spacings the median is of


def median_spacing(moments: Sequence[datetime]) -> timedelta:
    """Return the median of the newest spacings; a weekend or a pause does not move it.

    `moments` are in order and at least two. Raises ValueError on fewer.
    """
    if len(moments) < 2:
        raise ValueError("one bar has no spacing")
    recent = moments[-(SPACINGS + 1) :]
    return median_low(later - earlier for earlier, later in pairwise(recent))


def is_double(moment: datetime, stored: Sequence[datetime]) -> bool:
    """Tell whether a bar at `moment` lies nearer than half a spacing to a stored one (in order), so is the same again.

    Vendors stamp one day's bar with its last trade first and with its opening later; and a recorded world that went on
    after a pause stamps its history anew.
    """
    if len(stored) < 3:
        return False
    at = bisect_left(stored, moment)
    nearest = min(abs(moment - neighbour) for neighbour in stored[max(at - 1, 0) : at + 1])
    return nearest < median_spacing(stored) / 2
