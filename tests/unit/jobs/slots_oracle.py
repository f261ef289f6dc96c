"""A second opinion on crontabs: walk through real time minute by minute and look at the clock on the wall.

It shares nothing with the product: fields are sets of numbers that a test draws together with their text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
LAST_DAY = 0  # stands for `L` among the days of the month


@dataclass(frozen=True)
class Field:
    text: str
    numbers: frozenset[int]


@dataclass(frozen=True)
class Wall:
    """The five fields as sets."""

    minute: Field
    hour: Field
    day_of_month: Field
    month_of_year: Field
    day_of_week: Field

    @property
    def is_fixed(self) -> bool:
        return not self.minute.text.startswith("*") and not self.hour.text.startswith("*")

    def shows(self, wall: datetime) -> bool:
        days = self.day_of_month.numbers
        is_last = LAST_DAY in days and (wall + timedelta(days=1)).month != wall.month
        return (
            wall.minute in self.minute.numbers
            and wall.hour in self.hour.numbers
            and wall.month in self.month_of_year.numbers
            and wall.isoweekday() % 7 in self.day_of_week.numbers
            and (wall.day in days or is_last)
        )


def minutes_that_match(wall: Wall, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """Return the moments in (after, until], by looking at every single minute. Both ends are whole minutes."""
    place = ZoneInfo(zone)
    found: list[datetime] = []
    moment = after
    before = _on_the_wall(moment, place)
    while moment < until:
        moment += MINUTE
        now = _on_the_wall(moment, place)
        is_second_time = moment.astimezone(place).fold == 1
        skipped = _between(before, now) if wall.is_fixed else []
        is_due = wall.shows(now) and not (wall.is_fixed and is_second_time)
        if is_due or any(wall.shows(gone) for gone in skipped):
            found.append(moment)
        before = now
    return found


def _on_the_wall(moment: datetime, place: ZoneInfo) -> datetime:
    return moment.astimezone(UTC).astimezone(place).replace(tzinfo=None)


def _between(before: datetime, now: datetime) -> list[datetime]:
    """Return the minutes that the clock on the wall left out between two neighbouring minutes of real time."""
    count = int((now - before) / MINUTE) - 1
    return [before + MINUTE * number for number in range(1, count + 1)]
