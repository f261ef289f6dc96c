"""Finding days and months that changed places, in lists whose rows come in the order of play; pure.

A date whose day is above 12 cannot be read wrongly: such dates are the anchors. A date whose day could be a month is
doubted when it lies far outside the anchors around it while the date with day and month changed lies within them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, timedelta

FAR = timedelta(days=10)  # a match that was moved to a midweek is listed this near to its round
REACH = timedelta(days=45)  # before the first anchor and after the last one: a winter break is shorter
ANCHOR_DAY_MIN = 13


def turned(day: date) -> date | None:
    """Return the date with day and month changed, or None where that is no other date."""
    return date(day.year, day.day, day.month) if day.day < ANCHOR_DAY_MIN and day.day != day.month else None


def swapped(days: Sequence[date]) -> tuple[date | None, ...]:
    """Return for each date, in the order of play, the date that was meant where day and month changed places, else None.

    Dates without two anchors in order around them are judged by those they have; without any nothing is doubted.
    """
    anchors = _in_order([(index, day) for index, day in enumerate(days) if day.day >= ANCHOR_DAY_MIN])
    places = [index for index, _ in anchors]
    return tuple(_meant(day, *_around(anchors, bisect_right(places, index))) for index, day in enumerate(days))


def _around(anchors: Sequence[tuple[int, date]], place: int) -> tuple[date | None, date | None]:
    before = anchors[place - 1][1] if place else None
    after = anchors[place][1] if place < len(anchors) else None
    return before, after


def _meant(day: date, before: date | None, after: date | None) -> date | None:
    other = turned(day)
    if other is None or (before is None and after is None):
        return None
    low = before if before is not None else _shifted(after, -REACH)
    high = after if after is not None else _shifted(before, REACH)
    return other if _distance(day, low, high) > FAR and _distance(other, low, high) <= FAR else None


def _shifted(day: date | None, by: timedelta) -> date:
    """Return the day moved, within what a calendar can hold."""
    start = day or date.min
    return start + by if date.min - start <= by <= date.max - start else start


def _distance(day: date, low: date, high: date) -> timedelta:
    return max(low - day, day - high, timedelta(0))


def _in_order(anchors: Sequence[tuple[int, date]]) -> list[tuple[int, date]]:
    """Return the longest run of anchors whose dates never go back, so that one wild date misleads nobody."""
    tails: list[date] = []  # the smallest last date of a run of each length
    ends: list[int] = []  # where in `anchors` that run ends
    before: list[int] = []
    for place, (_, day) in enumerate(anchors):
        length = bisect_right(tails, day)
        before.append(ends[length - 1] if length else -1)
        tails[length : length + 1] = [day]
        ends[length : length + 1] = [place]
    run: list[tuple[int, date]] = []
    place = ends[-1] if ends else -1
    while place >= 0:
        run.append(anchors[place])
        place = before[place]
    return run[::-1]
