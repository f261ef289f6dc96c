"""A vendor that allows fewer calls than it publishes: the limiter finds the true quota and then stays just below it.

The learning time that is allowed is ten minutes; for token buckets, whose depth nobody knows, 15, or 450 calls' worth when
that is longer (30 minutes at 15 calls a minute).
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from apps.resilience.learning import Learned
from apps.resilience.limiter import Pace
from tests.unit.resilience.quota_world import MINUTE_US, Caller, DeepBucket, FixedWindow, ShallowBucket, SlidingWindow, Vendor

QUOTAS = (15, 60, 100, 300, 1000, 3000)
SEEDS = (1, 2, 3)


def learning_minutes(kind: Callable[[int, random.Random], Vendor], quota: int) -> int:
    return 10 if kind in (FixedWindow, SlidingWindow) else max(15, 450 // quota)


def play(
    kind: Callable[[int, random.Random], Vendor], quota: int, published: int, *, tells_retry_after: bool, seed: int
) -> tuple[float, float, Caller]:
    """Return the share of the quota that was used after learning, the share of refusals, and the caller."""
    chance = random.Random(seed)
    minutes, measured = learning_minutes(kind, quota), {1000: 12, 3000: 4}.get(quota, max(20, 450 // quota))
    caller = Caller(
        vendor=kind(quota, chance),
        pace=Pace.per_minute(published),
        tells_retry_after=tells_retry_after,
        chance=chance,
        learning_us=minutes * MINUTE_US,
    )
    caller.run(workers=max(1, min(50, published // 60 + 1)), minutes=minutes + measured)
    return caller.good / (quota * measured), caller.refused / (caller.good + caller.refused), caller


@pytest.mark.parametrize("kind", [FixedWindow, SlidingWindow, DeepBucket, ShallowBucket])
@pytest.mark.parametrize("quota", QUOTAS)
def test_after_learning_nine_tenths_of_a_hidden_quota_are_used_with_under_one_refusal_in_a_hundred(kind, quota):
    missed = []
    for published in (2 * quota, 10 * quota):
        for tells_retry_after in (True, False):
            for seed in SEEDS:
                used, refused, _ = play(kind, quota, published, tells_retry_after=tells_retry_after, seed=seed)
                if used < 0.9 or refused >= 0.01:
                    missed.append((published, tells_retry_after, seed, round(used, 3), round(refused, 4)))
    assert missed == []


@pytest.mark.parametrize("kind", [FixedWindow, SlidingWindow])
@pytest.mark.parametrize("quota", QUOTAS)
def test_a_vendor_that_publishes_the_truth_never_refuses_and_teaches_nothing(kind, quota):
    used, refused, caller = play(kind, quota, quota, tells_retry_after=False, seed=1)
    assert (refused, caller.state.learned) == (0.0, Learned())
    assert used >= 0.9


def test_a_quota_that_was_raised_is_found_in_time():
    chance = random.Random(1)
    vendor = SlidingWindow(100, chance)
    caller = Caller(vendor=vendor, pace=Pace.per_minute(1_000), tells_retry_after=True, chance=chance, learning_us=60 * MINUTE_US)
    caller.run(workers=10, minutes=10)
    before_us = caller.state.learned.floor_us
    vendor.quota = 200
    caller.run(workers=10, minutes=110)
    assert MINUTE_US / before_us == pytest.approx(97, abs=3)
    assert caller.good >= 0.85 * 200 * 60
