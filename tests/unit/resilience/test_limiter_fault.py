"""A vendor that refuses by fault, whatever our pace: no quota is learned from our own demand, and the pace comes back."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field

import pytest

from apps.resilience import limiter
from apps.resilience.limiter import Pace, interval_of
from apps.resilience.windows import MICROSECONDS
from tests.unit.resilience.quota_world import MINUTE_US, START_US, Caller

WAIT_US_MAX = 20 * MICROSECONDS


@dataclass
class Faulty:
    """Grants everything but what comes within a fault: (from, until) in microseconds since the start."""

    faults_us: list[tuple[int, int]]
    retry_after_s: float = 0.0

    def ask(self, now_us: int) -> float | None:
        is_faulty = any(begins <= now_us - START_US < ends for begins, ends in self.faults_us)
        return self.retry_after_s if is_faulty else None


@dataclass
class Demand(Caller):
    """Calls that come by themselves, at so many a minute, and give up when no slot is near."""

    late: list[int] = field(default_factory=list)
    slowest_us: list[int] = field(default_factory=list)

    def play(self, per_minute: int, minutes: int, *, jitter: float) -> None:
        """Note for each minute how many calls found no slot in time, and the interval at its end."""
        gap_us = MINUTE_US // per_minute
        events: list[tuple[int, int, str, object]] = [
            (START_US + number * gap_us + round(self.chance.random() * jitter * gap_us), number, "reserve", None)
            for number in range(per_minute * minutes)
        ]
        heapq.heapify(events)
        self.late, number = [0] * (minutes + 1), len(events)
        while events:
            now_us, _, due, data = heapq.heappop(events)
            minute = (now_us - START_US) // MINUTE_US
            while len(self.slowest_us) < min(minute, minutes):
                self.slowest_us.append(interval_of(self.state, self.pace))
            number += 1
            delay_us, then, data = getattr(self, f"_{due}")(now_us, data)
            if then == "give up":
                self.late[min(minute, minutes)] += 1
            elif due != "hear":
                heapq.heappush(events, (now_us + delay_us, number, then, data))

    def _reserve(self, now_us: int, _nothing: object) -> tuple[int, str, object]:
        self.state, reservation = limiter.reserve(self.state, self.pace, self.trail, now_us=now_us, wait_us_max=WAIT_US_MAX)
        return round(reservation.wait_s * MICROSECONDS), "send" if reservation.granted else "give up", (reservation, self._heard)


def suffer(
    per_minute: int,
    published: int,
    *,
    faults_s: list[tuple[float, float]],
    retry_after_s: float | None,
    jitter: float = 0.5,
    minutes: int = 20,
) -> Demand:
    vendor = Faulty([(int(a * MICROSECONDS), int(b * MICROSECONDS)) for a, b in faults_s], retry_after_s or 0.0)
    caller = Demand(
        vendor=vendor,
        pace=Pace.per_minute(published),
        tells_retry_after=retry_after_s is not None,
        chance=random.Random(1),
        learning_us=0,
    )
    caller.play(per_minute, minutes, jitter=jitter)
    return caller


@pytest.mark.parametrize("retry_after_s", [None, -5.0, 0.0, 3.0])
@pytest.mark.parametrize("begins_s", [30.0, 90.0, 300.0])
@pytest.mark.parametrize("jitter", [0.0, 0.9])
@pytest.mark.parametrize(("per_minute", "published"), [(48, 600), (48, 100), (300, 600)])
def test_twenty_seconds_of_refusals_by_fault_are_made_good_within_three_minutes(
    per_minute, published, retry_after_s, begins_s, jitter
):
    caller = suffer(per_minute, published, faults_s=[(begins_s, begins_s + 20)], retry_after_s=retry_after_s, jitter=jitter)
    minute = int(begins_s // 60)
    assert sum(caller.late[minute + 4 :]) == 0
    assert min(caller.slowest_us[minute + 3 : minute + 5]) <= MINUTE_US / per_minute * 1.1
    assert caller.slowest_us[minute + 11] <= caller.pace.interval_us * 1.1


@pytest.mark.parametrize("retry_after_s", [None, 0.0, 3.0])
@pytest.mark.parametrize("begins_s", [25.0, 85.0, 305.0])
@pytest.mark.parametrize(("per_minute", "published"), [(6, 60), (3, 60), (2, 600)])
def test_with_sparse_demand_one_refusal_keeps_no_call_waiting(per_minute, published, retry_after_s, begins_s):
    once_s = begins_s, begins_s + 60 / per_minute
    caller = suffer(per_minute, published, faults_s=[once_s], retry_after_s=retry_after_s)
    assert caller.state.slowdowns >= 1
    assert sum(caller.late) == 0
    assert caller.slowest_us[int(begins_s // 60) + 10] <= caller.pace.interval_us * 1.1


@pytest.mark.parametrize("retry_after_s", [None, 1.0])
def test_a_second_fault_some_minutes_later_is_made_good_too(retry_after_s):
    caller = suffer(48, 600, faults_s=[(120, 140), (400, 420)], retry_after_s=retry_after_s)
    assert caller.slowest_us[10] <= MINUTE_US / 48 * 1.1
    assert caller.slowest_us[17] <= caller.pace.interval_us * 1.1
