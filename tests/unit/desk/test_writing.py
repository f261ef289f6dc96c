"""How the desk writes figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.desk.board import short_question
from apps.desk.focus import carried
from apps.desk.templatetags import desk

D = Decimal
START = datetime(2026, 11, 22, 14, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"), [(D("0.5"), "0.500"), (D("2104.5"), "2,104.500"), (None, "–"), ("", "–"), (0.1234, "0.123")]
)
def test_prices_have_a_fixed_number_of_digits(value, text):
    assert desk.price(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (D("0.012"), '<span class="gain">+0.012</span>'),
        (D("-0.012"), '<span class="loss">−0.012</span>'),
        (D("0.0004"), "0.000"),
        (D("-0.0004"), "0.000"),
        (D("0"), "0.000"),
        (None, "–"),
    ],
)
def test_differences_carry_their_sign_and_not_only_a_colour(value, text):
    assert desk.signed(value) == text


def test_money_is_written_in_major_units():
    assert desk.money(99_994_650_000, "USDC") == "99,994.65"
    assert desk.signed_money(-5_350_000, "USDC") == '<span class="loss">−5.35</span>'


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 m 00 s"), (3599, "59 m 59 s"), (3600, "1 h 00 m"), (90_000, "1 d 1 h"), (None, "–")],
)
def test_durations_have_their_two_largest_units(seconds, text):
    assert desk.span(seconds) == text


def test_a_moment_is_utc_until_the_script_turns_it():
    assert desk.moment(START) == '<time datetime="2026-11-22T14:05:09+00:00" title="2026-11-22 14:05:09 UTC">14:05:09 UTC</time>'
    assert desk.moment(None) == "–"


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 100)), max_size=20), st.lists(st.integers(0, 60), max_size=20))
def test_each_moment_shows_the_last_value_at_or_before_it(steps, moments):
    steps = sorted(dict(steps).items())
    known = [(START + timedelta(seconds=at), D(value)) for at, value in steps]
    asked = [START + timedelta(seconds=at) for at in moments]
    expected = [next((float(value) for at, value in reversed(steps) if at <= moment), None) for moment in moments]
    assert carried(asked, known) == expected


@pytest.mark.parametrize(
    ("question", "is_linear", "short"),
    [
        ("S&P 500 above 1,277 at the close of 22 Nov 2026 15:56:41 UTC", False, "S&P 500 above 1,277"),
        ("NASDAQ Composite at the close of 22 Nov 2026 15:56:41 UTC", True, "NASDAQ Composite at the close"),
        ("Bitcoin Up or Down - September 28", False, "Bitcoin Up or Down - September 28"),
        ("Price of Bitcoin", True, "Price of Bitcoin"),
    ],
)
def test_a_rolled_question_leaves_its_moment_to_the_column(question, is_linear, short):
    assert short_question(question, is_linear=is_linear) == short
