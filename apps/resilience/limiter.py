"""A limiter that reserves: it never says "no, later" but "yes, in 1.2 seconds".

The rule is GCRA (generic cell rate algorithm, ITU-T I.371) over a theoretical arrival time, in whole microseconds.
A reservation takes the next free slot; the caller waits and goes. Because the tolerance is fixed to the published
interval, no window of the published length ever holds more starts than the published quota, whatever the schedule
of the callers and however the pace adapts.

The pace adapts to what the other side answers: after ten successes the interval shrinks by a tenth (never below the
published one), a rate-limit answer doubles it or, with Retry-After, stops everybody until then, any other failure
stretches it by a half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

MICROSECONDS = 1_000_000
SUCCESSES_PER_STEP = 10
FASTER, SLOWER_ON_LIMIT, SLOWER_ON_ERROR = 0.9, 2.0, 1.5
SLOWEST_FACTOR = 64  # an interval never grows beyond this many published ones, so that recovery stays in sight
PAUSE_S_MAX = 3600.0  # a vendor's Retry-After beyond an hour is asked again each hour


class Feedback(StrEnum):
    """What the other side's answer says about our pace."""

    SUCCESS = "success"
    RATE_LIMIT = "rate_limit"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Pace:
    """A published quota as the limiter keeps it: one start per `interval_us`, at most `burst` at once."""

    interval_us: int
    burst: int = 1

    @classmethod
    def per_minute(cls, quota: int, *, burst: int | None = None) -> Pace:
        """Build the pace that keeps every 60-second window at or under `quota`. Raises ValueError below 1."""
        if quota < 1:
            raise ValueError(f"a quota must be at least 1 a minute, not {quota}")
        chosen = max(1, quota // 10) if burst is None else min(max(1, burst), quota)
        # A full burst and the steady flow may fall into one window: they share the quota.
        return cls(interval_us=math.ceil(60 * MICROSECONDS / (quota - chosen + 1)), burst=chosen)

    @property
    def tolerance_us(self) -> int:
        """How far a start may run ahead of the steady flow."""
        return (self.burst - 1) * self.interval_us


@dataclass(frozen=True, slots=True)
class PaceState:
    """What is remembered of one key: theoretical arrival, adapted interval, successes in a row, end of a pause."""

    arrival_us: int = 0
    interval_us: int = 0
    successes: int = 0
    paused_until_us: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """The answer of the limiter: go after `wait_s`, or, when not granted, nothing was taken."""

    granted: bool
    wait_s: float
    interval_s: float


def reserve(state: PaceState, pace: Pace, *, now_us: int, wait_us_max: int) -> tuple[PaceState, Reservation]:
    """Take the next free slot if it lies within `wait_us_max`, else take nothing and say how far it is."""
    interval_us = max(pace.interval_us, state.interval_us)
    start_us = max(now_us, state.arrival_us - pace.tolerance_us, state.paused_until_us)
    wait_us = start_us - now_us
    granted = wait_us <= wait_us_max
    taken = replace(state, arrival_us=max(state.arrival_us, start_us) + interval_us) if granted else state
    return taken, Reservation(granted=granted, wait_s=wait_us / MICROSECONDS, interval_s=interval_us / MICROSECONDS)


def adapt(state: PaceState, pace: Pace, feedback: Feedback, *, now_us: int, retry_after_s: float | None = None) -> PaceState:
    """Change the interval by what the other side answered."""
    interval_us = max(pace.interval_us, state.interval_us)
    if feedback is Feedback.SUCCESS:
        return _after_success(state, pace, interval_us)
    if feedback is Feedback.RATE_LIMIT and retry_after_s is not None:
        pause_us = int(min(max(retry_after_s, 0.0), PAUSE_S_MAX) * MICROSECONDS)
        return replace(state, successes=0, paused_until_us=max(state.paused_until_us, now_us + pause_us))
    factor = SLOWER_ON_LIMIT if feedback is Feedback.RATE_LIMIT else SLOWER_ON_ERROR
    slowest_us = pace.interval_us * SLOWEST_FACTOR
    return replace(state, successes=0, interval_us=min(math.floor(interval_us * factor), slowest_us))


def _after_success(state: PaceState, pace: Pace, interval_us: int) -> PaceState:
    if state.successes + 1 < SUCCESSES_PER_STEP:
        return replace(state, successes=state.successes + 1)
    return replace(state, successes=0, interval_us=max(pace.interval_us, math.floor(interval_us * FASTER)))
