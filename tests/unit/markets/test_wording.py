"""How rolled markets are called."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.markets import wording

CLOSE = datetime(2026, 11, 3, 14, 30, 5, tzinfo=UTC)
NAME = "S&P 500 (recorded daily closes 1999–2018, one bar every 5.0 s)"


def test_a_daily_question_names_the_day():
    question = wording.question_of(NAME, Decimal("2104.500000"), CLOSE, is_daily=True)
    assert question == "S&P 500 above 2,104.5 at the close of 3 Nov 2026"


def test_a_question_of_shorter_bars_names_the_second():
    assert wording.title_of(NAME, CLOSE, is_daily=False) == "S&P 500 at the close of 3 Nov 2026 14:30:05 UTC"


def test_a_slug_is_fit_for_addresses():
    assert wording.slug_of("S&P 500 at the close", "above-2100.5") == "s-p-500-at-the-close-above-2100.5"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**6), max_value=10**6, places=6))
def test_a_plain_number_is_the_same_number(number):
    assert Decimal(wording.plain(number).replace(",", "")) == number
