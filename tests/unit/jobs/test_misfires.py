"""Misfire policies: what becomes of the slots of an outage, and when a schedule is overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.jobs.misfires import LISTED_MAX, ON_TIME, TAKEN_MAX, Policy, alert_after, judge, keep_rows_for
from apps.jobs.slots import Clocked, Crontab, Every, slots_between

NOW = datetime(2026, 6, 10, 8, 30, tzinfo=UTC)
DAILY = Crontab(minute="30", hour="2")
MINUTELY = Every(every_us=60_000_000)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def verdict(rhythm, ago: timedelta, *, now=NOW, grace=None, misfire="latest"):
    return judge(rhythm, after=now - ago, until=now, now=now, policy=Policy(misfire=misfire, grace=grace))


def test_six_hours_down_over_a_daily_job_are_one_catch_up():
    found = verdict(DAILY, 6 * HOUR + timedelta(minutes=5))
    assert found.taken == (datetime(2026, 6, 10, 2, 30, tzinfo=UTC),)
    assert (found.let_go, found.handled_until) == ((), found.taken[0])


def test_latest_takes_the_newest_slot_and_names_it_to_the_others():
    found = verdict(MINUTELY, 5 * timedelta(minutes=1))
    assert found.taken == (NOW,)
    assert len(found.let_go) == 4
    assert {gone.reason for gone in found.let_go} == {"superseded by 2026-06-10 08:30:00 UTC"}


def test_all_takes_each():
    found = verdict(MINUTELY, 6 * HOUR, misfire="all")
    assert (len(found.taken), found.taken[-1], found.let_go) == (360, NOW, ())


def test_all_takes_the_newest_thousand_and_tells_of_the_rest():
    found = verdict(MINUTELY, 20 * HOUR, misfire="all")
    assert (len(found.taken), len(found.let_go)) == (TAKEN_MAX, LISTED_MAX)
    assert {gone.reason for gone in found.let_go} == {"missed, with more than 1000 others"}
    assert found.unlisted_until == found.let_go[0].slot_at - timedelta(minutes=1)


def test_skip_takes_what_is_on_time_only():
    seconds = Every(every_us=1_000_000)
    found = verdict(seconds, timedelta(seconds=60), misfire="skip")
    assert found.taken == slots_between(seconds, NOW - timedelta(seconds=6), NOW)
    assert (len(found.let_go), {gone.reason for gone in found.let_go}) == (54, {"missed, and not made up"})
    late = verdict(DAILY, 7 * HOUR, misfire="skip")
    assert (late.taken, [gone.reason for gone in late.let_go]) == ((), ["missed, and not made up"])


@pytest.mark.parametrize("misfire", ["latest", "all", "skip"])
def test_a_slot_past_its_grace_becomes_no_job_under_any_policy(misfire):
    found = verdict(DAILY, 7 * HOUR, misfire=misfire, grace=5 * HOUR)
    assert found.taken == ()
    assert [gone.reason for gone in found.let_go] == ["missed by more than its grace of 18000 s"]
    assert found.handled_until == datetime(2026, 6, 10, 2, 30, tzinfo=UTC)


def test_a_slot_within_its_grace_is_caught_up():
    assert verdict(DAILY, 7 * HOUR, grace=6 * HOUR).taken == (datetime(2026, 6, 10, 2, 30, tzinfo=UTC),)


def test_no_slot_changes_nothing():
    found = verdict(DAILY, HOUR)
    assert (found.taken, found.let_go, found.handled_until, found.unlisted_until) == ((), (), None, None)


@given(
    misfire=st.sampled_from(["latest", "all", "skip"]),
    every_s=st.integers(1, 90_000),
    ago_s=st.integers(0, 400_000),
    grace_s=st.one_of(st.none(), st.integers(0, 400_000)),
)
def test_every_slot_is_taken_or_let_go_or_told_of(misfire, every_s, ago_s, grace_s):
    rhythm, ago = Every(every_us=every_s * 1_000_000, offset_us=every_s * 370_000), timedelta(seconds=ago_s)
    grace = None if grace_s is None else timedelta(seconds=grace_s)
    found = verdict(rhythm, ago, misfire=misfire, grace=grace)
    unlisted = slots_between(rhythm, NOW - ago, found.unlisted_until) if found.unlisted_until else ()
    accounted = sorted([*unlisted, *found.taken, *(gone.slot_at for gone in found.let_go)])
    assert accounted == list(slots_between(rhythm, NOW - ago, NOW))
    assert len(found.taken) <= {"latest": 1, "all": TAKEN_MAX, "skip": 6}[misfire]
    assert all(grace is None or NOW - slot <= grace for slot in found.taken)
    assert misfire != "skip" or all(NOW - slot <= ON_TIME for slot in found.taken)


@pytest.mark.parametrize(
    ("rhythm", "expected"),
    [
        (Every(every_us=5_000_000), timedelta(minutes=10)),
        (Every(every_us=1800 * 1_000_000), timedelta(minutes=90)),
        (Crontab(minute="*"), timedelta(minutes=10)),
        (Crontab(minute="0"), 3 * HOUR),
        (DAILY, 26 * HOUR),
        (Crontab(minute="30", hour="3", day_of_week="0"), 7 * DAY + 2 * HOUR),
        (Crontab(minute="0", hour="9-17", day_of_week="1-5"), 64 * HOUR + 2 * HOUR),
        (Clocked(at=NOW), None),
    ],
)
def test_a_schedule_is_overdue_after_three_intervals_or_a_day_and_two_hours(rhythm, expected):
    assert alert_after(rhythm, at=NOW) == expected


@pytest.mark.parametrize(
    ("rhythm", "expected"),
    [
        (Every(every_us=1_000_000), timedelta(minutes=10)),
        (Every(every_us=60_000_000), timedelta(minutes=100)),
        (Every(every_us=86_400 * 1_000_000), 30 * DAY),
        (DAILY, 30 * DAY),
    ],
)
def test_rows_of_short_intervals_are_kept_for_a_hundred_of_them(rhythm, expected):
    assert keep_rows_for(rhythm, longest=30 * DAY) == expected
