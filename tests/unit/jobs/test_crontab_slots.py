"""Crontabs against a walk through every minute, and the nights and months that people ask about."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.jobs.slots import Crontab, newest_slots, next_slots, slots_between
from tests.unit.jobs.slots_oracle import LAST_DAY, Field, Wall, minutes_that_match

# Places with every habit: whole hours, half an hour, midnight itself, none at all.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Kolkata",
    "America/St_Johns",
)
NIGHTS = (
    datetime(2026, 3, 28, 12, tzinfo=UTC),  # Berlin and Havana near here, forward
    datetime(2026, 3, 7, 20, tzinfo=UTC),  # New York and St John's, forward
    datetime(2026, 4, 4, 3, tzinfo=UTC),  # Lord Howe, back by half an hour
    datetime(2026, 4, 23, 12, tzinfo=UTC),  # Cairo, forward at midnight
    datetime(2026, 10, 3, 3, tzinfo=UTC),  # Lord Howe, forward by half an hour
    datetime(2026, 10, 24, 12, tzinfo=UTC),  # Berlin, back
    datetime(2026, 10, 29, 12, tzinfo=UTC),  # Cairo, back at midnight
    datetime(2026, 10, 31, 20, tzinfo=UTC),  # New York, back; the month ends
    datetime(2028, 2, 28, 12, tzinfo=UTC),
)
NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@st.composite
def fields(draw, first: int, last: int, *, kinds: tuple[str, ...] = ("*", "*/n", "a", "a-b", "a-b/n", "a,b")) -> Field:
    """Draw a field as text together with the numbers that it means."""
    kind = draw(st.sampled_from(kinds))
    low = draw(st.integers(first, last - 1))
    high = draw(st.integers(low + 1, last))  # "5-5/3" is told apart from "5/3" by nobody
    step = draw(st.integers(1, last))
    everything = range(first, last + 1)
    meanings = {
        "*": ("*", everything),
        "*/n": (f"*/{step}", everything[::step]),
        "a": (f"{low}", [low]),
        "a-b": (f"{low}-{high}", range(low, high + 1)),
        "a-b/n": (f"{low}-{high}/{step}", range(low, high + 1, step)),
        "a,b": (f"{low}, {high}", [low, high]),
    }
    text, numbers = meanings[kind]
    return Field(text, frozenset(numbers))


def days_of_month() -> st.SearchStrategy[Field]:
    return st.one_of(st.just(Field("*", frozenset(range(1, 32)))), st.just(Field("L", frozenset({LAST_DAY}))), fields(1, 31))


def days_of_week() -> st.SearchStrategy[Field]:
    named = st.integers(0, 6).map(lambda number: Field(NAMES[number], frozenset({number})))
    return st.one_of(st.just(Field("*", frozenset(range(7)))), named, fields(0, 6))


def walls() -> st.SearchStrategy[Wall]:
    every_month = st.just(Field("*", frozenset(range(1, 13))))
    return st.builds(
        Wall,
        minute=fields(0, 59),
        hour=st.one_of(fields(0, 4, kinds=("a", "a-b", "a,b")), fields(0, 23)),
        day_of_month=days_of_month(),
        month_of_year=st.one_of(every_month, fields(1, 12)),
        day_of_week=days_of_week(),
    )


def crontab_of(wall: Wall, zone: str) -> Crontab | None:
    try:
        return Crontab(
            minute=wall.minute.text,
            hour=wall.hour.text,
            day_of_month=wall.day_of_month.text,
            month_of_year=wall.month_of_year.text,
            day_of_week=wall.day_of_week.text,
            zone=zone,
        )
    except ValueError:  # a day that none of its months has
        assert min(wall.day_of_month.numbers) > 28
        return None


def fixed(text: str, *numbers: int) -> Field:
    return Field(text, frozenset(numbers))


HALF_PAST_TWO = Wall(
    minute=fixed("30", 30),
    hour=fixed("2", 2),
    day_of_month=Field("*", frozenset(range(1, 32))),
    month_of_year=Field("*", frozenset(range(1, 13))),
    day_of_week=Field("*", frozenset(range(7))),
)


MINUTES_OF_MIDNIGHT = replace(HALF_PAST_TWO, minute=Field("*", frozenset(range(60))), hour=fixed("0", 0))


@settings(max_examples=200)
@given(wall=walls(), zone=st.sampled_from(ZONES), start=st.sampled_from(NIGHTS), shift_minutes=st.integers(0, 1500))
@example(wall=HALF_PAST_TWO, zone="Europe/Berlin", start=NIGHTS[0], shift_minutes=0)
@example(wall=HALF_PAST_TWO, zone="Europe/Berlin", start=NIGHTS[5], shift_minutes=0)
@example(wall=MINUTES_OF_MIDNIGHT, zone="Australia/Lord_Howe", start=NIGHTS[2], shift_minutes=0)
def test_slots_are_what_a_walk_through_every_minute_finds(wall, zone, start, shift_minutes):
    crontab = crontab_of(wall, zone)
    after = start + timedelta(minutes=shift_minutes)
    until = after + timedelta(hours=40)
    expected = minutes_that_match(wall, zone, after, until)
    assert list(slots_between(crontab, after, until) if crontab else ()) == expected


@settings(max_examples=80)
@given(
    wall=walls(),
    zone=st.sampled_from(ZONES),
    start=st.sampled_from(NIGHTS),
    cut_s=st.integers(0, 36 * 3600),
    count=st.integers(1, 50),
)
def test_slots_do_not_depend_on_where_one_begins_to_look(wall, zone, start, cut_s, count):
    crontab = crontab_of(wall, zone)
    if crontab is None:
        return
    cut, until = start + timedelta(seconds=cut_s), start + timedelta(hours=36)
    whole = slots_between(crontab, start, until)
    assert slots_between(crontab, start, cut) + slots_between(crontab, cut, until) == whole
    assert newest_slots(crontab, start, until, count) == whole[-count:]


def days_and_times(crontab: Crontab, after: datetime, count: int) -> list[str]:
    return [f"{slot:%m-%d %H:%M}" for slot in next_slots(crontab, after, count)]


def test_in_spring_half_past_two_comes_once_after_the_gap():
    crontab = Crontab(minute="30", hour="2", zone="Europe/Berlin")
    assert days_and_times(crontab, NIGHTS[0], 3) == ["03-29 01:00", "03-30 00:30", "03-31 00:30"]


def test_in_autumn_half_past_two_comes_once_and_each_hour_has_its_own():
    daily = Crontab(minute="30", hour="2", zone="Europe/Berlin")
    hourly = Crontab(minute="30", hour="*", zone="Europe/Berlin")
    assert days_and_times(daily, NIGHTS[5], 2) == ["10-25 00:30", "10-26 01:30"]
    night = datetime(2026, 10, 24, 23, tzinfo=UTC)
    assert days_and_times(hourly, night, 4) == ["10-24 23:30", "10-25 00:30", "10-25 01:30", "10-25 02:30"]


def test_two_times_that_the_spring_night_skips_are_one_slot():
    crontab = Crontab(minute="0,30", hour="2", zone="Europe/Berlin")
    assert days_and_times(crontab, NIGHTS[0], 3) == ["03-29 01:00", "03-30 00:00", "03-30 00:30"]


@given(start=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), zone=st.sampled_from(ZONES))
def test_the_last_day_is_that_of_the_calendar_month_after_month(start, zone):
    slots = next_slots(Crontab(minute="0", hour="13", day_of_month="L", zone=zone), start.replace(tzinfo=UTC), 30)
    days = [slot.astimezone(ZoneInfo(zone)) for slot in slots]
    assert [(day.day, day.hour) for day in days] == [(monthrange(day.year, day.month)[1], 13) for day in days]
    months = [day.year * 12 + day.month for day in days]
    assert months == list(range(months[0], months[0] + 30))


@given(start=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)))
def test_the_last_day_of_work_is_the_latest_of_its_month_from_monday_to_friday(start):
    slots = next_slots(Crontab(minute="0", hour="13", day_of_month="LW"), start.replace(tzinfo=UTC), 30)
    for slot in slots:
        days = [slot.replace(day=number) for number in range(1, monthrange(slot.year, slot.month)[1] + 1)]
        assert slot == max(day for day in days if day.isoweekday() <= 5)
    assert len({(slot.year, slot.month) for slot in slots}) == 30


def test_months_end_on_their_own_days():
    last = Crontab(minute="0", hour="4", day_of_month="L")
    after = datetime(2027, 12, 1, tzinfo=UTC)
    assert days_and_times(last, after, 5) == ["12-31 04:00", "01-31 04:00", "02-29 04:00", "03-31 04:00", "04-30 04:00"]
    on_the_31st = Crontab(minute="0", hour="4", day_of_month="31")
    assert days_and_times(on_the_31st, datetime(2026, 1, 31, 5, tzinfo=UTC), 2) == ["03-31 04:00", "05-31 04:00"]


def test_the_29th_of_february_waits_for_its_year():
    crontab = Crontab(minute="0", hour="0", day_of_month="29", month_of_year="2")
    years = [slot.year for slot in next_slots(crontab, datetime(2026, 1, 1, tzinfo=UTC), 3)]
    assert years == [2028, 2032, 2036]
    newest = newest_slots(crontab, datetime(2000, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), 1)
    assert newest == (datetime(2024, 2, 29, tzinfo=UTC),)


def test_a_day_must_match_in_the_month_and_in_the_week():
    friday_13th = Crontab(minute="0", hour="0", day_of_month="13", day_of_week="5")
    assert days_and_times(friday_13th, datetime(2026, 1, 1, tzinfo=UTC), 3) == ["02-13 00:00", "03-13 00:00", "11-13 00:00"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"minute": "60"},
        {"hour": "22-4"},
        {"zone": "Europe/Atlantis"},
        {"day_of_month": "30", "month_of_year": "2"},
        {"minute": ""},
    ],
)
def test_what_cannot_be_read_is_refused(wrong):
    with pytest.raises(ValueError, match=r"\w"):
        Crontab(**wrong)
