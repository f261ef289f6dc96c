"""The gate for bars: what is refused, what is only flagged, and what it must not touch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.gates.bars import judge, steps_between
from apps.sources.types import CandleRecord

START = datetime(2026, 1, 1, tzinfo=UTC)


def bar(day: int, close="100", *, factor="1", volume: str | None = "1000", **prices) -> CandleRecord:
    times = Decimal(factor)
    low, high = prices.get("low", Decimal(close) - 1), prices.get("high", Decimal(close) + 1)
    return CandleRecord(
        symbol="X",
        closes_at=START + timedelta(days=day),
        open=Decimal(prices.get("open", close)) * times,
        high=Decimal(high) * times,
        low=Decimal(low) * times,
        close=Decimal(close) * times,
        volume=None if volume is None else Decimal(volume),
        final=True,
    )


def look(bars, *, days_later=0):
    return judge(bars, now=max(one.closes_at for one in bars) + timedelta(days=days_later))


def refused(bars):
    """Return the rule of each refused bar and the day numbers that are kept."""
    found = look(bars)
    rules = Counter(fault.reason.split(":")[0] for fault in found.rejected)
    return dict(rules), [(one.closes_at - START).days for one in found.bars]


def flagged(bars, *, days_later=0):
    return [flag.rule for flag in look(bars, days_later=days_later).flags]


def test_a_quiet_series_passes_untouched():
    bars = [bar(day, str(100 + day % 3)) for day in range(30)]
    found = look(bars)
    assert (found.bars, found.rejected, found.flags) == (tuple(bars), (), ())


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"high": "98", "low": "99"}, "contradiction"),
        ({"open": "112"}, "contradiction"),
        ({"low": "112", "high": "113"}, "contradiction"),
        ({"low": "0"}, "no price"),
        ({"low": "-1"}, "no price"),
        ({"low": "0.00000000001"}, "no price"),
        ({"high": "1000000000001"}, "no price"),
    ],
)
def test_a_bar_that_cannot_be_true_is_refused_and_the_rest_is_kept(changes, rule):
    rules, days = refused([bar(0), bar(1, **changes), bar(2)])
    assert (rules, days) == ({rule: 1}, [0, 2])


@pytest.mark.parametrize("price", ["500000000000000", "0.00000000001"])
def test_a_whole_series_that_no_table_can_hold_is_refused(price):
    rules, days = refused([bar(day, price, low=price, high=price) for day in range(30)])
    assert (rules, days) == ({"no price": 30}, [])


def test_a_range_that_leaves_out_open_or_close_is_widened_and_flagged():
    bars = [bar(0), bar(1, open="102"), bar(2, high="99.5", low="99"), bar(3, low="109", high="110"), bar(4)]
    found = look(bars)
    assert found.rejected == ()
    assert [(one.low, one.high) for one in found.bars[1:4]] == [(99, 102), (99, 100), (100, 110)]
    assert all(one.low <= min(one.open, one.close) <= max(one.open, one.close) <= one.high for one in found.bars)
    assert [(flag.rule, flag.note[:6]) for flag in found.flags] == [("widened", "3 bars")]


def test_the_rounding_of_floats_is_widened_without_a_word():
    found = look([bar(0), bar(1, low="100.00005"), bar(2)])
    assert (found.rejected, found.flags, found.bars[1].low) == ((), (), 100)


def test_a_bar_of_next_week_is_refused_and_tomorrows_is_not():
    bars = [bar(0), bar(3), bar(4)]
    found = judge(bars, now=START)
    assert [fault.reason.split(":")[0] for fault in found.rejected] == ["future"]
    assert len(found.bars) == 2


def test_equal_bars_of_one_moment_are_one_and_of_different_ones_the_later_stands():
    assert refused([bar(0), bar(0), bar(1)]) == ({}, [0, 1])
    found = look([bar(0, "100"), bar(0, "101"), bar(1)])
    assert [one.close for one in found.bars] == [Decimal(101), Decimal(100)]
    assert found.rejected[0].reason.startswith("duplicate")


def test_bars_out_of_order_are_put_in_order_and_flagged():
    found = look([bar(2), bar(1), bar(0)])
    assert [one.closes_at for one in found.bars] == sorted(one.closes_at for one in found.bars)
    assert [(flag.rule, flag.note) for flag in found.flags] == [("order", "2 bars come after newer ones")]


@pytest.mark.parametrize("factor", ["100", "0.01", "10000", "0.0001", "80", "0.012"])
@pytest.mark.parametrize("wrong", [{5}, {5, 6, 7, 8, 9, 10, 11}, {0}, {0, 1, 2}, {19}, {16, 17, 18, 19}, {3, 9, 10}])
def test_bars_on_another_scale_are_refused_wherever_they_stand(wrong, factor):
    bars = [bar(day, factor=factor if day in wrong else "1") for day in range(20)]
    assert refused(bars) == ({"scale": len(wrong)}, [day for day in range(20) if day not in wrong])


def test_a_new_scale_is_believed_once_five_traded_bars_say_so_and_what_came_before_cannot_be_compared():
    bars = [bar(day, factor="100" if day < 15 else "1") for day in range(20)]
    assert refused(bars) == ({"scale": 15}, [15, 16, 17, 18, 19])
    untraded = [replace(one, volume=Decimal(0)) if one.closes_at >= START + timedelta(days=15) else one for one in bars]
    assert refused(untraded) == ({"scale": 5}, list(range(15)))


def test_the_scale_that_was_traded_outweighs_the_one_that_has_more_bars():
    bars = [bar(day, factor="0.01" if day not in (4, 5, 6) else "1", volume="500" if day == 5 else "0") for day in range(12)]
    assert refused(bars) == ({"scale": 9}, [4, 5, 6])


def test_an_index_without_volumes_is_judged_by_its_number_of_bars():
    bars = [bar(day, factor="100" if day in (3, 4) else "1", volume=None) for day in range(9)]
    assert refused(bars) == ({"scale": 2}, [0, 1, 2, 5, 6, 7, 8])


def test_one_price_of_a_bar_on_another_scale_spoils_the_bar():
    for changes in ({"low": "1"}, {"high": "10000"}, {"low": "1", "open": "1"}):
        rules, days = refused([bar(0), bar(1), bar(2, **changes), bar(3)])
        assert (rules, days) == ({"scale": 1}, [0, 1, 3])


def test_real_leaps_are_kept_and_flagged():
    for closes in (["100", "160", "150"], ["100", "40", "45"], ["100", "1000", "100"], ["100", "0.003", "0.004"]):
        bars = [bar(day, close, high=close, low=close) for day, close in enumerate(closes)]
        found = look(bars)
        assert found.rejected == ()
        assert found.flags[0].rule == "move"
    assert "60%" in look([bar(0, "100"), bar(1, "160")]).flags[0].note


def test_a_price_that_stands_still_without_trade_is_flagged_from_five_bars_on():
    still = [bar(day, "100", high="100", low="100", volume="0") for day in range(5)]
    assert flagged(still) == ["unmoved"]
    assert flagged(still[:4]) == []
    assert flagged([replace(one, volume=Decimal(3)) for one in still]) == []
    assert flagged([replace(one, volume=None) for one in still]) == ["unmoved"]


def test_a_series_that_ended_is_flagged_as_old():
    assert flagged([bar(0), bar(1)], days_later=11) == ["old"]
    assert flagged([bar(0), bar(1)], days_later=10) == []


def test_nothing_in_nothing_out():
    found = judge([], now=START)
    assert (found.bars, found.rejected, found.flags) == ((), (), ())


def test_refused_bars_are_known_by_symbol_and_moment():
    fault = look([bar(0), bar(1, low="-1")]).rejected[0]
    assert (fault.key, fault.excerpt) == (
        "X 2026-01-02T00:00:00+00:00",
        "open 100 high 101 low -1 close 100 volume 1000",
    )


moves = st.lists(st.floats(min_value=0.7, max_value=1.4), min_size=6, max_size=60)


@given(moves=moves, data=st.data())
def test_whatever_a_market_does_a_hundredfold_bar_is_found_and_nothing_else_is_refused(moves, data):
    price, bars = 100.0, []
    for day, move in enumerate(moves):
        # A walk that never strays far, so that no true move looks like a leap of scale.
        price = min(300.0, max(30.0, price * move))
        close = f"{price:.4f}"
        bars.append(bar(day, close, high=close, low=close))
    assert look(bars).rejected == ()
    wrong = data.draw(st.integers(min_value=1, max_value=len(bars) - 1))
    true_move = float(bars[wrong].close / bars[wrong - 1].close)
    back = float(bars[wrong + 1].close / bars[wrong - 1].close) if wrong + 1 < len(bars) else 1.0
    if 0.8 < true_move < 1.25 and 0.8 < back < 1.25:
        spoilt = [scaled(one) if day == wrong else one for day, one in enumerate(bars)]
        assert [fault.key for fault in look(spoilt).rejected] == [f"X {bars[wrong].closes_at.isoformat()}"]


def scaled(one: CandleRecord) -> CandleRecord:
    return replace(one, open=one.open * 100, high=one.high * 100, low=one.low * 100, close=one.close * 100)


@given(reference=st.floats(min_value=1e-6, max_value=1e6), ratio=st.floats(min_value=0.02, max_value=50))
def test_only_ratios_near_a_power_of_a_hundred_are_steps(reference, ratio):
    assert steps_between(reference, reference * ratio) == 0
    assert steps_between(reference, reference * 100) == 1
    assert steps_between(reference, reference / 10_000) == -2
