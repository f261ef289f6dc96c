"""Which new words on final bars are believed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.markets.restating import Compared, doubt_of, is_adjustment, is_scale

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)


def walk(count: int) -> list[Decimal]:
    """A series that moves by a percent or so a day, always the same one."""
    lots = random.Random(7)
    price, closes = 2000.0, []
    for _ in range(count):
        price *= 1 + lots.gauss(0, 0.012)
        closes.append(Decimal(f"{price:.6f}"))
    return closes


def bars(stored: list[Decimal], said: list[Decimal]) -> list[Compared]:
    """Two tellings of the same days; open, high and low lie a little around the close."""
    around = [Decimal(part) for part in ("0.999", "1.01", "0.98", "1")]
    pairs = enumerate(zip(stored, said, strict=True))
    return [Compared(NOW + index * DAY, *(tuple(price * part for part in around) for price in pair)) for index, pair in pairs]  # type: ignore[arg-type]


def reason(compared: list[Compared], newer: int = 0) -> str:
    doubt = doubt_of(compared, newer=newer)
    return "" if doubt is None else doubt.reason.partition(":")[0]


def test_the_same_again_and_nothing_to_compare_are_believed():
    assert doubt_of(bars(walk(31), walk(31)), newer=0) is None
    assert doubt_of([], newer=500) is None


@pytest.mark.parametrize("factor", ["100", "0.01", "10000", "0.0001", "99.5"])
@pytest.mark.parametrize("count", [1, 2, 31])
def test_another_scale_is_doubted_however_far_the_answer_goes_on(factor, count):
    stored = walk(count)
    compared = bars(stored, [price * Decimal(factor) for price in stored])
    doubt = doubt_of(compared, newer=1000)
    assert doubt is not None
    assert (doubt.reason[:5], doubt.keeps_newer, is_adjustment(compared)) == ("scale", False, False)


def test_a_past_on_another_scale_is_doubted_too():
    stored = walk(31)
    said = [price * 100 if index < 10 else price for index, price in enumerate(stored)]
    assert reason(bars(stored, said)) == "scale"


@pytest.mark.parametrize(("new", "old"), [(1, 2), (2, 1), (10, 1), (1, 10), (1, 8), (3, 2), (50, 1), (1, 120)])
@pytest.mark.parametrize("since", [0, 1, 5, 20])
def test_a_split_is_believed_with_the_days_after_it_as_they_were(new, old, since):
    stored = walk(40)
    said = [round(price * new / old, 6) if index < 40 - since else price for index, price in enumerate(stored)]
    compared = bars(stored, said)
    assert doubt_of(compared, newer=0) is None
    assert is_adjustment(compared)


def test_a_split_with_a_few_corrections_is_believed_and_with_many_is_not():
    stored = walk(31)
    halved = [price / 2 for price in stored]
    assert reason(bars(stored, [*halved[:28], *stored[28:]])) == ""
    assert reason(bars(stored, [price * 3 if 5 <= index < 8 else price for index, price in enumerate(halved)])) == ""
    assert reason(bars(stored, [price * 3 if 5 <= index < 9 else price for index, price in enumerate(halved)])) == "restated"


@pytest.mark.parametrize(("count", "corrected_max"), [(5, 3), (31, 3), (60, 6), (1260, 126)])
def test_a_few_corrections_are_believed_and_one_more_is_not(count, corrected_max):
    stored = walk(count)
    for corrected, told in ((corrected_max, ""), (corrected_max + 1, "restated")):
        said = [price * (1 + Decimal(index + 1) / 50) if index < corrected else price for index, price in enumerate(stored)]
        assert reason(bars(stored, said)) == told
    assert not is_adjustment(bars(stored, stored))


@given(st.integers(1, 20), st.booleans(), st.integers(31, 200))
def test_moments_moved_by_whole_bars_are_doubted(by, is_back, count):
    closes = walk(count + by)
    pair = (closes[by:], closes[:-by]) if is_back else (closes[:-by], closes[by:])
    doubt = doubt_of(bars(*pair), newer=3)
    assert doubt is not None
    assert (doubt.reason[:8], doubt.keeps_newer) == ("restated", False)
    assert not is_adjustment(bars(*pair))


def test_a_doubted_answer_is_followed_where_it_goes_on_for_long_or_its_newest_bars_agree():
    closes = walk(41)
    moved = bars(closes[10:], closes[:31])
    assert [doubt.keeps_newer for newer in (9, 10) if (doubt := doubt_of(moved, newer=newer))] == [False, True]
    agreeing = [*moved[:26], *bars(closes[:31], closes[:31])[26:]]
    assert [doubt.keeps_newer for tail in (agreeing, agreeing[:-1]) if (doubt := doubt_of(tail, newer=1))] == [True, False]


def test_a_doubt_shows_the_newest_differences():
    stored = walk(10)
    doubt = doubt_of(bars(stored, [price * 100 for price in stored]), newer=0)
    assert doubt is not None
    assert doubt.excerpt.count(" became ") == 5
    assert doubt.excerpt.endswith(f"{stored[-1]:f} became {stored[-1] * 100:f}")


def test_prices_at_or_below_zero_have_no_ratio_and_are_no_scale():
    below = bars([Decimal(-3), Decimal(0), Decimal(5)], [Decimal(-300), Decimal(1), Decimal(0)])
    assert [one.ratio for one in below] == [None, None, None]
    assert doubt_of(below, newer=0) is None
    assert not is_scale(None)
    assert reason(bars([Decimal(0)] * 5, [Decimal(index + 1) for index in range(5)])) == "restated"
