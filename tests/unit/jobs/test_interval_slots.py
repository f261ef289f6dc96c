"""Intervals: aligned to the epoch, shifted by a name's own offset, the same for everybody who asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.jobs.slots import (
    EPOCH,
    MICROSECOND,
    Clocked,
    Crontab,
    Every,
    Rhythm,
    digest_of,
    longest_gap,
    newest_slots,
    next_slots,
    offset_us,
    slots_between,
)

SECOND = 1_000_000
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
INTERVALS = st.one_of(st.integers(1000, 10 * SECOND), st.integers(1, 86_400).map(lambda seconds: seconds * SECOND))


@given(every_us=INTERVALS, name=st.text(max_size=20), after=MOMENTS)
def test_slots_lie_on_the_grid_of_the_epoch_and_follow_at_once(every_us, name, after):
    rhythm = Every(every_us=every_us, offset_us=offset_us(name, every_us))
    first, second, third = next_slots(rhythm, after, 3)
    assert after < first <= after + timedelta(microseconds=every_us)
    assert third - second == second - first == timedelta(microseconds=every_us)
    assert ((first - EPOCH) // MICROSECOND - rhythm.offset_us) % every_us == 0


@given(every_us=INTERVALS, after=MOMENTS, cut=st.integers(0, 50), end=st.integers(0, 50), count=st.integers(1, 20))
def test_slots_do_not_depend_on_where_one_begins_to_look(every_us, after, cut, end, count):
    rhythm = Every(every_us=every_us, offset_us=every_us // 3)
    step = timedelta(microseconds=every_us // 2)
    middle, until = after + cut * step, after + (cut + end) * step
    whole = slots_between(rhythm, after, until)
    assert slots_between(rhythm, after, middle) + slots_between(rhythm, middle, until) == whole
    assert newest_slots(rhythm, after, until, count) == whole[-count:]


def test_a_year_of_missed_seconds_costs_no_walk():
    rhythm = Every(every_us=1000)
    until = datetime(2026, 1, 1, tzinfo=UTC)
    assert newest_slots(rhythm, datetime(1990, 1, 1, tzinfo=UTC), until, 2) == (until - timedelta(milliseconds=1), until)


@given(name=st.text(max_size=30), every_us=INTERVALS)
def test_an_offset_is_below_its_interval_and_always_the_same(name, every_us):
    assert 0 <= offset_us(name, every_us) < every_us
    assert offset_us(name, every_us) == offset_us(name, every_us)


def test_neighbours_do_not_wake_together():
    names = [f"candles of {number}" for number in range(300)]
    tenths = {offset_us(name, 300 * SECOND) // (30 * SECOND) for name in names}
    assert tenths == set(range(10))
    assert len({offset_us(name, 300 * SECOND) for name in names}) == 300


@pytest.mark.parametrize(("every_us", "shift_us"), [(0, 0), (-1, 0), (10, 10), (10, -1), (10**18, 0)])
def test_what_is_no_interval_is_refused(every_us, shift_us):
    with pytest.raises(ValueError, match="is no interval"):
        Every(every_us=every_us, offset_us=shift_us)


def test_a_moment_comes_once():
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert next_slots(Clocked(at=at), at - timedelta(days=1), 5) == (at,)
    assert next_slots(Clocked(at=at), at, 5) == ()
    assert newest_slots(Clocked(at=at), at - MICROSECOND, at, 5) == (at,)
    assert longest_gap(Clocked(at=at), at - timedelta(days=1)) is None


def test_other_times_have_another_digest_and_the_same_times_the_same():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    rhythms: list[Rhythm] = [
        Every(every_us=SECOND),
        Every(every_us=2 * SECOND),
        Crontab(minute="0", hour="3"),
        Crontab(minute="0", hour="4"),
        Crontab(minute="0", hour="3", zone="Europe/Kyiv"),
        Clocked(at=at),
        Clocked(at=at + timedelta(seconds=1)),
    ]
    assert {len(digest_of(rhythm)) for rhythm in rhythms} == {32}
    assert len({digest_of(rhythm) for rhythm in rhythms}) == len(rhythms)
    assert digest_of(Crontab(minute="0, 30")) == digest_of(Crontab(minute="0,30"))
    assert digest_of(Clocked(at=at)) == digest_of(Clocked(at=at.astimezone(timezone(timedelta(hours=2)))))
    # Kept in rows: a digest that changes with a version of the desk would let every schedule begin anew.
    assert digest_of(Every(every_us=SECOND)) == "2ff681330623bea4839f508f5ca23e5f"
