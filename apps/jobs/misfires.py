"""What becomes of slots: which turn into jobs, which are let go, and when a schedule counts as overdue. Pure.

A beat looks every second, so mostly one slot has come since its last look. After an outage there are many. The policy
of the schedule decides:

    latest   only the newest slot becomes a job: one catch-up, however long the outage was
    all      each becomes a job, at most a thousand, the newest
    skip     only what is on time becomes a job, nothing is made up

A slot older than the schedule's grace becomes no job under any policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.jobs.slots import Clocked, Crontab, Every, Rhythm, longest_gap, newest_slots
from apps.jobs.types import Misfire

ON_TIME = timedelta(seconds=5)  # a few looks of a beat; an older slot was missed
TAKEN_MAX = 1000  # of one schedule at one look, under the policy "all"
LISTED_MAX = 100  # of the slots let go, so many get a row of their own; older ones are told in the log as a range

ALERT_LEAST = timedelta(minutes=10)
ALERT_SLACK_MOST = timedelta(hours=2)
ALERT_AFTER_INTERVALS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a schedule treats what it missed."""

    misfire: Misfire = "latest"
    grace: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """A slot that becomes no job, and why."""

    slot_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of the slots since the last look, oldest first.

    `unlisted_until` says that slots up to it were let go without a row each, because there were so many.
    """

    taken: tuple[datetime, ...] = ()
    let_go: tuple[LetGo, ...] = ()
    unlisted_until: datetime | None = None

    @property
    def handled_until(self) -> datetime | None:
        """Return the newest slot that was looked at; None when there was none."""
        return max([*self.taken, *(gone.slot_at for gone in self.let_go)], default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one look at many schedules did. Those that somebody else held are not in `looked_at`: they are asked for again."""

    looked_at: frozenset[str] = frozenset()
    made: int = 0
    let_go: int = 0


def judge(rhythm: Rhythm, *, after: datetime, until: datetime, now: datetime, policy: Policy) -> Verdict:
    """Return what becomes of the slots in (after, until], which is not later than `now`."""
    most = (TAKEN_MAX if policy.misfire == "all" else 1) + LISTED_MAX
    slots = newest_slots(rhythm, after, until, most + 1)
    unlisted_until = slots[0] if len(slots) > most else None
    slots = slots[-most:]
    taken = _taken(slots, now, policy)
    chosen = set(taken)
    gone = [slot for slot in slots if slot not in chosen]
    return Verdict(
        taken=taken,
        let_go=tuple(LetGo(slot_at=slot, reason=_why(slot, taken, now, policy)) for slot in gone[-LISTED_MAX:]),
        unlisted_until=gone[-LISTED_MAX - 1] if len(gone) > LISTED_MAX else unlisted_until,
    )


def superseded_by(slot_at: datetime) -> str:
    """Return the reason that a slot gives way with to a newer one of its schedule."""
    return f"superseded by {slot_at:%Y-%m-%d %H:%M:%S} UTC"


def _taken(slots: tuple[datetime, ...], now: datetime, policy: Policy) -> tuple[datetime, ...]:
    within = tuple(slot for slot in slots if policy.grace is None or now - slot <= policy.grace)
    if policy.misfire == "all":
        return within[-TAKEN_MAX:]
    if policy.misfire == "skip":
        return tuple(slot for slot in within if now - slot <= ON_TIME)
    return within[-1:]


def _why(slot: datetime, taken: tuple[datetime, ...], now: datetime, policy: Policy) -> str:
    if policy.grace is not None and now - slot > policy.grace:
        return f"missed by more than its grace of {policy.grace.total_seconds():g} s"
    if policy.misfire == "latest" and taken:
        return superseded_by(taken[-1])
    return "missed, and not made up" if policy.misfire == "skip" else f"missed, with more than {TAKEN_MAX} others"


def alert_after(rhythm: Rhythm, *, at: datetime) -> timedelta | None:
    """Return after how long without success a schedule is overdue, when staff have set nothing; None: never.

    Three intervals; for crontabs the longest gap between neighbouring slots and two hours (a daily one: 26 hours). At
    least ten minutes.
    """
    if isinstance(rhythm, Clocked):
        return None
    gap = longest_gap(rhythm, at)
    if gap is None:
        return None
    slack = ALERT_AFTER_INTERVALS * gap
    if isinstance(rhythm, Crontab):
        slack = min(slack, gap + ALERT_SLACK_MOST)
    return max(ALERT_LEAST, slack)


def keep_rows_for(rhythm: Rhythm, *, longest: timedelta) -> timedelta:
    """Return how long the finished jobs of a schedule are kept: a hundred intervals, at least ten minutes."""
    if not isinstance(rhythm, Every):
        return longest
    return min(longest, max(timedelta(minutes=10), timedelta(microseconds=100 * rhythm.every_us)))
