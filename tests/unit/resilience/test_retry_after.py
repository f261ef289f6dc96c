"""What vendors write into Retry-After, and what we make of it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.resilience.retry_after import WISH_S_MAX, seconds_of

NOW_S = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("value", "wish_s"),
    [
        ("0", 0.0), ("17", 17.0), (" 17 ", 17.0), ("007", 7.0), ("1.5", 1.5), ("2.", 2.0), ("1e3", 1000.0),
        ("1000000000", WISH_S_MAX), ("1e9", WISH_S_MAX), ("1e999", WISH_S_MAX), ("9" * 200, WISH_S_MAX),
    ],
)  # fmt: skip
def test_seconds_are_read_up_to_a_day(value, wish_s):
    assert seconds_of(value, now_s=NOW_S) == wish_s


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 06 Nov 1994 08:50:37 GMT",  # the form of today
        "Sunday, 06-Nov-94 08:50:37 GMT",  # RFC 850
        "Sun Nov  6 08:50:37 1994",  # C's asctime
        "Sun, 06 Nov 1994 08:50:37",
        "Sun, 06 Nov 1994 08:50:37 -0000",
        "Sun, 06 Nov 1994 09:50:37 +0100",
    ],
)
def test_dates_are_read_in_all_their_forms_whatever_the_zone_of_the_machine(value, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert seconds_of(value, now_s=NOW_S) == 60.0
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_a_past_date_means_now_and_a_far_one_means_a_day():
    assert seconds_of("Sun, 06 Nov 1994 08:49:00 GMT", now_s=NOW_S) == 0.0
    assert seconds_of("Wed, 01 Jan 2100 00:00:00 GMT", now_s=NOW_S) == WISH_S_MAX


@pytest.mark.parametrize(
    "value",
    [None, "", "  ", "-5", "-0.5", "inf", "nan", "soon", "5 seconds", "0x10", "٣", "1_000", "Sun, 99 Foo 1994", "Sun, 06 Nov 99999 08:49:37 GMT",
     "1e", "9" * 300, "5" + " " * 300, "\x00", ",,,"],
)  # fmt: skip
def test_what_cannot_be_read_is_no_wish(value):
    assert seconds_of(value, now_s=NOW_S) is None


@pytest.mark.parametrize(
    ("value", "wish_s"),
    [
        ("5, 120", 120.0), ("120, 5", 120.0), ("5,soon", 5.0), ("-5, 7", 7.0), (", 3", 3.0),
        ("5, Sun, 06 Nov 1994 08:50:37 GMT", 60.0), ("Sun, 06 Nov 1994 08:50:37 GMT, 5", 60.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT, Sun, 06 Nov 1994 08:51:37 GMT", 120.0),
    ],
)  # fmt: skip
def test_of_several_values_the_longest_readable_one_counts(value, wish_s):
    assert seconds_of(value, now_s=NOW_S) == wish_s


@given(st.text(max_size=300))
def test_no_text_makes_it_fail_or_leave_its_bounds(value):
    wish_s = seconds_of(value, now_s=NOW_S)
    assert wish_s is None or 0.0 <= wish_s <= WISH_S_MAX
