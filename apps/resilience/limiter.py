"""A limiter that reserves: it never says "no, later" but "yes, in 1.2 seconds".

The rule is GCRA (generic cell rate algorithm, ITU-T I.371) over a theoretical arrival time, in whole microseconds.
A reservation takes the next free slots; the caller waits and goes. Because the tolerance is fixed to the published
interval, no window of the published length ever holds more starts than the published quota, whatever the schedule
of the callers and however the pace adapts.

The pace adapts to what the other side answers: after ten successes the interval shrinks by a tenth (never below the
published one, nor below the learned one), a rate-limit answer doubles it or, with Retry-After, stops everybody until
then, any other failure stretches it by a half. Until something was learned, slowing down ends at twice the interval at
which calls came lately, and once a window has passed without another refusal, the pace comes back by halves. Other
failures never make more than four intervals of one: an outage is the breaker's business, and the pace must not be what
keeps a vendor away that is well again. What rate-limit answers teach for longer is in `learning.py`.

`slowdowns` numbers the rate-limit answers that were taken to heart: an answer to a call that was let go before the
latest of them says nothing about the pace of now, and is not counted twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum

from apps.resilience import learning
from apps.resilience.learning import Learned, Trail
from apps.resilience.windows import MICROSECONDS

SUCCESSES_PER_STEP = 10
FASTER, SLOWER_ON_LIMIT, SLOWER_ON_ERROR = 0.9, 2.0, 1.5
SLOWEST_FACTOR = learning.SLOWEST_FACTOR
SLOWEST_FACTOR_LEARNED = 4  # once the true quota is known there is no reason to go far below it
SLOWEST_FACTOR_ERROR = 4  # of the interval that is published or learned, however many calls fail
SLOWEST_FACTOR_DEMAND = 2  # an interval this many times as long as that of the calls that come is soon made good
PAUSE_S_MAX = 3600.0  # a vendor's Retry-After beyond an hour is asked again each hour
MINUTE_S = 60.0
BURST_SHARE = 75  # of a minute's quota so small a part may start at once
LATE_S, LATE_SHARE = 0.6, 20  # how late a call may reach the other side: so much, and at most such a part of the window
SPARE_QUOTA_MIN = 10  # of fewer slots none is left free
WAIT_S_MAX = 86_400.0  # "however long": no slot further ahead is ever taken


class Feedback(StrEnum):
    """What the other side's answer says about our pace."""

    SUCCESS = "success"
    RATE_LIMIT = "rate_limit"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Pace:
    """A published quota as the limiter keeps it: one start per `interval_us`, at most `burst` at once.

    `window_us` is the length of the time that the quota is stated for.
    """

    interval_us: int
    burst: int = 1
    window_us: int = 60 * MICROSECONDS

    @classmethod
    def per_minute(cls, quota: int, *, burst: int | None = None) -> Pace:
        """Build the pace that keeps every 60-second window at or under `quota`. Raises ValueError below 1."""
        return cls.of(quota, burst=burst)

    @classmethod
    def of(cls, quota: int, *, per_s: float = MINUTE_S, burst: int | None = None) -> Pace:
        """Build the pace that keeps every window of `per_s` seconds at or under `quota`. Raises ValueError below 1."""
        if quota < 1:
            raise ValueError(f"a quota must be at least 1 a minute, not {quota}")
        window_us = int(per_s * MICROSECONDS)
        chosen = max(1, quota // BURST_SHARE) if burst is None else min(max(1, burst), quota)
        # A full burst and the steady flow may fall into one window: they share the quota. Calls reach the other side
        # late, some later than others, and so closer together than they started: unless the burst is given, as many as
        # start within such a delay are left free for that.
        late_s = min(LATE_S, per_s / LATE_SHARE)
        spare = math.ceil(quota * late_s / per_s) if burst is None and quota >= SPARE_QUOTA_MIN else 0
        return cls(interval_us=math.ceil(window_us / (quota - chosen - spare + 1)), burst=chosen, window_us=window_us)

    @property
    def tolerance_us(self) -> int:
        """How far a start may run ahead of the steady flow."""
        return (self.burst - 1) * self.interval_us

    @property
    def quota(self) -> int:
        """The most starts that one window can hold."""
        return self.burst - 1 + math.ceil(self.window_us / self.interval_us)

    def divided(self, processes: int) -> Pace:
        """Return the share of one of so many processes that cannot see each other: together they keep the quota."""
        if processes <= 1:
            return self
        share = self.quota // processes
        if share:
            return Pace.of(share, per_s=self.window_us / MICROSECONDS, burst=self.burst // processes)
        # Fewer slots than processes: each takes one in so many windows.
        return Pace(interval_us=math.ceil(self.window_us * processes / self.quota), window_us=self.window_us)

    def slowed_to(self, interval_s: float) -> Pace:
        """Return the pace itself, or an even one of this interval when that is slower."""
        interval_us = math.ceil(interval_s * MICROSECONDS)
        return self if interval_us <= self.interval_us else Pace(interval_us=interval_us, window_us=self.window_us)


@dataclass(frozen=True, slots=True)
class PaceState:
    """What is remembered of one key: theoretical arrival, adapted interval, end of a pause, and what was learned.

    `override_us` is the interval that people have set, 0 for none: the pace is never faster than that.
    """

    arrival_us: int = 0
    interval_us: int = 0
    successes: int = 0
    paused_until_us: int = 0
    slowdowns: int = 0
    learned: Learned = field(default_factory=Learned)
    override_us: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """The answer of the limiter: `count` slots were taken, the first after `wait_s`; none when not granted.

    The first slots may lie together (a burst); the others follow `interval_s` apart, see `wait_of_s`.
    """

    granted: bool
    wait_s: float
    interval_s: float
    count: int = 1
    lead_s: float = 0.0
    slowdowns: int = 0

    def wait_of_s(self, index: int) -> float:
        """Return how long to wait, from the reservation on, for slot `index` (0 is the first)."""
        return self.wait_s + max(0.0, index * self.interval_s - self.lead_s)


def reserve(
    state: PaceState, pace: Pace, trail: Trail, *, now_us: int, wait_us_max: int, count: int = 1
) -> tuple[PaceState, Reservation]:
    """Take as many of the next `count` slots as lie within `wait_us_max`; with none, say how far the next one is."""
    interval_us = interval_of(state, pace)
    is_even = state.learned.floor_us > 0 or state.override_us > pace.interval_us
    tolerance_us = 0 if is_even else pace.tolerance_us
    start_us = max(now_us, state.arrival_us - tolerance_us, state.paused_until_us)
    arrival_us = max(state.arrival_us, start_us)
    wait_us, lead_us = start_us - now_us, start_us + tolerance_us - arrival_us
    taken = min(count, (wait_us_max - wait_us + lead_us) // interval_us + 1) if wait_us <= wait_us_max else 0
    for index in range(taken):
        trail.started(start_us + max(0, index * interval_us - lead_us), now_us=now_us, window_us=pace.window_us)
    if taken:
        state = replace(state, arrival_us=arrival_us + taken * interval_us)
    return state, Reservation(
        granted=taken > 0,
        wait_s=wait_us / MICROSECONDS,
        interval_s=interval_us / MICROSECONDS,
        count=taken,
        lead_s=lead_us / MICROSECONDS,
        slowdowns=state.slowdowns,
    )


def interval_of(state: PaceState, pace: Pace) -> int:
    """Return the present interval in microseconds: the adapted one, never below the published, the learned or the set one."""
    return max(pace.interval_us, state.interval_us, state.learned.floor_us, state.override_us)


def adapt(
    state: PaceState,
    pace: Pace,
    trail: Trail,
    feedback: Feedback,
    *,
    now_us: int,
    retry_after_s: float | None = None,
    successes: int = 0,
    slowdowns: int | None = None,
) -> PaceState:
    """Change the pace by what the other side answered.

    `successes` counts good answers that came before this one and were not told yet; a SUCCESS is one more.
    `slowdowns` is that of the reservation, None when it is not known.
    """
    successes += feedback is Feedback.SUCCESS
    if successes:
        state = _after_successes(state, pace, trail, successes, now_us=now_us)
    if feedback is Feedback.RATE_LIMIT:
        return _after_limit(state, pace, trail, now_us=now_us, retry_after_s=retry_after_s, slowdowns=slowdowns)
    if feedback is Feedback.ERROR:
        return _after_error(state, pace, trail, now_us=now_us)
    return state


def _after_successes(state: PaceState, pace: Pace, trail: Trail, count: int, *, now_us: int) -> PaceState:
    learned = learning.after_successes(
        state.learned, trail, count, interval_us=pace.interval_us, window_us=pace.window_us, now_us=now_us
    )
    interval_us = max(pace.interval_us, state.interval_us)
    for _ in range((state.successes + count) // SUCCESSES_PER_STEP):
        interval_us = max(pace.interval_us, math.floor(interval_us * FASTER))
    if learned.floor_us or state.learned.was_fault(now_us=now_us, window_us=pace.window_us):
        interval_us = max(pace.interval_us, interval_us // 2)  # the floor guards, or nothing need be: go back by halves
    successes = (state.successes + count) % SUCCESSES_PER_STEP
    return replace(state, successes=successes, interval_us=interval_us, learned=learned)


def _after_limit(
    state: PaceState, pace: Pace, trail: Trail, *, now_us: int, retry_after_s: float | None, slowdowns: int | None
) -> PaceState:
    trail.withdrawn(now_us=now_us, window_us=pace.window_us)
    pause_us = 0 if retry_after_s is None else pause_us_of(retry_after_s)
    limits = {"interval_us": pace.interval_us, "window_us": pace.window_us, "now_us": now_us}
    if retry_after_s is not None:
        state = replace(state, paused_until_us=max(state.paused_until_us, now_us + pause_us))
    if slowdowns is not None and slowdowns < state.slowdowns:
        return replace(state, learned=learning.after_echo(state.learned, trail, **limits))
    before_us = interval_of(state, pace)
    learned = learning.after_limit(state.learned, trail, pause_us=pause_us, **limits)
    interval_us = max(pace.interval_us, state.interval_us)
    state = replace(state, successes=0, slowdowns=state.slowdowns + 1, interval_us=interval_us, learned=learned)
    if retry_after_s is not None:
        return state
    slowest_us = _justified_us(_slowest_us(state, pace), state, pace, trail, now_us=now_us, before_us=before_us)
    return replace(state, interval_us=min(math.floor(before_us * SLOWER_ON_LIMIT), slowest_us))


def _after_error(state: PaceState, pace: Pace, trail: Trail, *, now_us: int) -> PaceState:
    before_us = interval_of(state, pace)
    slowest_us = max(pace.interval_us, state.learned.floor_us) * SLOWEST_FACTOR_ERROR
    slowest_us = _justified_us(slowest_us, state, pace, trail, now_us=now_us, before_us=before_us)
    return replace(state, successes=0, interval_us=max(before_us, min(math.floor(before_us * SLOWER_ON_ERROR), slowest_us)))


def pause_us_of(retry_after_s: float) -> int:
    """Return how long to pause for a Retry-After: never back in time, and at most an hour."""
    return int(min(max(retry_after_s, 0.0), PAUSE_S_MAX) * MICROSECONDS)


def reset(state: PaceState) -> PaceState:
    """Forget adaptations, pauses and lessons; the slots that were taken stay taken, and what people have set stays set."""
    return PaceState(arrival_us=state.arrival_us, slowdowns=state.slowdowns, override_us=state.override_us)


def is_redeemable(state: PaceState, *, at_us: int, slowdowns: int, now_us: int, late_us_max: int) -> bool:
    """Say whether a slot that was taken at a moment is still worth a call now.

    It is not once the other side refused since, or asked for a pause that ends after it, or when it was so long ago
    that the call would come too close to those of later slots.
    """
    is_heard = state.slowdowns > slowdowns or state.paused_until_us > at_us
    return not is_heard and now_us - at_us <= late_us_max


def _slowest_us(state: PaceState, pace: Pace) -> int:
    if state.learned.floor_us:
        return state.learned.floor_us * SLOWEST_FACTOR_LEARNED
    return pace.interval_us * SLOWEST_FACTOR


def _justified_us(slowest_us: int, state: PaceState, pace: Pace, trail: Trail, *, now_us: int, before_us: int) -> int:
    """Return `slowest_us`, or the longest interval that so many calls as came lately justify when that is shorter."""
    demand = trail.demand(now_us=now_us, window_us=pace.window_us)
    if not demand or state.learned.floor_us:
        return slowest_us
    return min(slowest_us, max(before_us, SLOWEST_FACTOR_DEMAND * pace.window_us // demand))
