"""Nominal times: when a schedule's slots are, by the definition alone.

A slot depends on nothing but the rhythm: not on when a process began, not on what ran before. So all beats agree on
the slots without talking, and the unique pair of schedule and slot in the table of jobs decides who takes it.

Intervals count from the epoch and are shifted by an offset of their own, so that neighbours do not wake together.
Crontabs follow the clocks of their zone, with the habits of Debian's cron on the two nights that change them:
a fixed time that the night skips comes at the first moment after the gap, one that the night repeats comes once, and
rhythms with a star (each hour, each quarter) follow real time. A day must match both its day of the month and its day
of the week, as Celery reads its crontabs.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SET_BACK_MOST = timedelta(hours=3)  # more than any clock on a wall is set back at once
LONGEST_US = timedelta(days=3653) // MICROSECOND
# How far back the newest slots are looked for, step by step: most are found in the first hour.
LOOK_BACK = tuple(timedelta(hours=hours) for hours in (1, 24, 31 * 24, 366 * 24, 5 * 366 * 24))


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """Comes each `every_us` microseconds since the epoch, shifted by `offset_us` (at least 0, below the interval).

    An interval is ten years at most.
    """

    every_us: int
    offset_us: int = 0

    def __post_init__(self) -> None:
        """Refuse what never comes. Raises ValueError."""
        if not 1 <= self.every_us <= LONGEST_US or not 0 <= self.offset_us < self.every_us:
            raise ValueError(f"every {self.every_us} µs, shifted by {self.offset_us} µs, is no interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crontab:
    """Comes at times of day in a zone: five fields as in crontab(5), `L` in `day_of_month` for a month's last day."""

    minute: str = "*"
    hour: str = "*"
    day_of_month: str = "*"
    month_of_year: str = "*"
    day_of_week: str = "*"
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse what cannot be read. Raises ValueError, also for an unknown zone."""
        try:
            self.walls_after(_wall(EPOCH, ZoneInfo(self.zone)))
        except (CronSimError, KeyError, OSError) as error:
            raise ValueError(f"{self.text()}: {error}") from error

    def text(self) -> str:
        """Return the five fields in one line, without the spaces that people put behind commas."""
        fields = (self.minute, self.hour, self.day_of_month, self.month_of_year, self.day_of_week)
        return " ".join("".join(field.split()) for field in fields)

    @property
    def is_fixed(self) -> bool:
        """Return whether it names times of day, so that the nights that change the clocks need a rule."""
        return not self.minute.startswith("*") and not self.hour.startswith("*")

    def walls_after(self, wall: datetime) -> CronSim:
        """Return the library's endless iterator of times on a clock that is never changed, later than `wall`."""
        times = CronSim(self.text(), wall)
        times.day_and = True
        return times


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocked:
    """Comes once, at a moment."""

    at: datetime


Rhythm = Every | Crontab | Clocked


def offset_us(name: str, every_us: int) -> int:
    """Return the shift for the schedule `name`: the same on every host, spread evenly over the interval."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % every_us


def digest_of(rhythm: Rhythm) -> str:
    """Return 32 characters that stand for these times: the same on every host, others when the times are others."""
    if isinstance(rhythm, Every):
        text = f"every {rhythm.every_us} us"
    elif isinstance(rhythm, Crontab):
        text = f"at {rhythm.text()} in {rhythm.zone}"
    else:
        text = f"once at {rhythm.at.astimezone(UTC).isoformat()}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def slots_after(rhythm: Rhythm, after: datetime) -> Iterator[datetime]:
    """Yield the slots later than `after` in order, as UTC; endless for what comes again."""
    if isinstance(rhythm, Every):
        return _intervals_after(rhythm, after)
    if isinstance(rhythm, Crontab):
        return _times_after(rhythm, after)
    return iter([rhythm.at.astimezone(UTC)] if rhythm.at > after else [])


def next_slots(rhythm: Rhythm, after: datetime, count: int) -> tuple[datetime, ...]:
    """Return the next `count` slots later than `after`, fewer when there are no more."""
    return tuple(itertools.islice(slots_after(rhythm, after), count))


def slots_between(rhythm: Rhythm, after: datetime, until: datetime) -> tuple[datetime, ...]:
    """Return every slot later than `after` and not later than `until`."""
    return tuple(itertools.takewhile(lambda slot: slot <= until, slots_after(rhythm, after)))


def newest_slots(rhythm: Rhythm, after: datetime, until: datetime, count: int) -> tuple[datetime, ...]:
    """Return the newest `count` of the slots in (after, until], oldest first; a long outage costs no long walk.

    Slots further back than five years are not looked for.
    """
    if isinstance(rhythm, Every):
        after = max(after, until - count * timedelta(microseconds=rhythm.every_us))
        return slots_between(rhythm, after, until)[-count:]
    if isinstance(rhythm, Clocked):
        return slots_between(rhythm, after, until)
    found: tuple[datetime, ...] = ()
    for back in LOOK_BACK:
        found = slots_between(rhythm, max(after, until - back), until)
        if len(found) >= count or until - back <= after:
            break
    return found[-count:]


def longest_gap(rhythm: Rhythm, at: datetime, *, looked_at: int = 64) -> timedelta | None:
    """Return the longest time between neighbours among the slots that follow `at`; None for what comes once."""
    if isinstance(rhythm, Every):
        return timedelta(microseconds=rhythm.every_us)
    slots = next_slots(rhythm, at, looked_at)
    return max((later - earlier for earlier, later in itertools.pairwise(slots)), default=None)


def _intervals_after(rhythm: Every, after: datetime) -> Iterator[datetime]:
    since_us = (after - EPOCH) // MICROSECOND - rhythm.offset_us
    first = since_us // rhythm.every_us + 1
    for number in itertools.count(first):
        yield EPOCH + timedelta(microseconds=number * rhythm.every_us + rhythm.offset_us)


def _times_after(rhythm: Crontab, after: datetime) -> Iterator[datetime]:
    """Yield the moments at which the clock on the wall shows the crontab's times, each once and only forward."""
    latest = after
    for slot in _shown_in_order(rhythm, after, ZoneInfo(rhythm.zone)):
        if slot > latest:
            yield slot
            latest = slot


def _shown_in_order(rhythm: Crontab, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the moments that belong to the walls' times; what an hour shows again waits until its first round is through."""
    waiting: deque[datetime] = deque()
    for wall in rhythm.walls_after(_earliest_wall(after, zone)):
        showings = [_first_real(wall, zone)] if rhythm.is_fixed else _showings(wall, zone)
        while waiting and showings and waiting[0] < showings[0]:
            yield waiting.popleft()
        yield from showings[:1]
        waiting.extend(showings[1:])
    yield from waiting


def _earliest_wall(after: datetime, zone: ZoneInfo) -> datetime:
    """Return the earliest time that the clock on the wall shows from `after` on: it may be set back soon."""
    return min(_wall(after, zone), _wall(after + SET_BACK_MOST, zone) - SET_BACK_MOST)


def _first_real(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment of this time, at its first showing, or the first moment after the gap that left it out."""
    while not (showings := _showings(wall, zone)):
        wall += timedelta(minutes=1)
    return showings[0]


def _showings(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the moments at which the clock on the wall shows this time: one, two when it is set back, none in a gap."""
    moments = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(moment for moment in moments if _wall(moment, zone) == wall)


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)
