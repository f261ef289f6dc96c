"""Rolled markets from their making to their results, on bars with a weekend."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connections

from apps.audit.models import Event as AuditEvent
from apps.markets import selectors, services
from apps.markets.models import Event, Instrument, Market, Outcome, Result
from apps.markets.types import RollCounts
from tests.integration.markets.making import BY, candle, result_of, store_candles

DAY = timedelta(days=1)
FRIDAY = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
MONDAY = FRIDAY + 3 * DAY


def weekdays_until(last: datetime, count: int) -> list[datetime]:
    days = [last - index * DAY for index in range(2 * count)]
    return [day for day in days if day.weekday() < 5][:count][::-1]


def history(last: datetime = FRIDAY, count: int = 40):
    """Daily bars around 2,000 that end on Friday at 2,010."""
    moments = weekdays_until(last, count)
    return [candle(moment, str(2010 - (index * 7) % 20)) for index, moment in enumerate(reversed(moments))][::-1]


def roll(now: datetime = FRIDAY) -> RollCounts:
    return services.roll_markets(now=now, by=BY)


def resolve(now: datetime) -> int:
    return services.resolve_rolled(now=now, by=BY)


def of_horizon(horizon_bars: int):
    return Market.objects.filter(horizon_bars=horizon_bars)


@pytest.fixture
def friday(db):
    store_candles(*history(), now=FRIDAY)


def test_a_set_for_each_horizon_with_one_linear_and_three_threshold_markets(friday):
    assert roll() == RollCounts(instruments=1, events=3, markets=12)
    assert (Event.objects.count(), Market.objects.count(), Outcome.objects.count()) == (3, 12, 3 * (1 + 3 * 2))
    for horizon_bars, days in ((1, 3), (5, 7), (20, 28)):
        assert set(of_horizon(horizon_bars).values_list("closes_at", flat=True)) == {FRIDAY + days * DAY}
    linear = of_horizon(1).get(pays="linear")
    assert (linear.question, linear.threshold) == ("S&P 500 at the close of 23 Nov 2026", None)
    middle = of_horizon(1).get(source_key__endswith=":+0")
    assert (middle.question, middle.threshold) == ("S&P 500 above 2,010 at the close of 23 Nov 2026", Decimal(2010))
    views = selectors.unresolved_markets(now=FRIDAY)
    assert {(one.source, one.category, one.accepts_orders, one.state) for one in views} == {("desk", "index", False, "open")}
    assert {tuple(outcome.label for outcome in one.outcomes) for one in views} == {("Yes", "No"), ("Close",)}


def test_rolled_markets_have_no_books_to_watch(friday):
    roll()
    assert selectors.outcome_keys_to_watch(now=FRIDAY) == ()


def test_rolling_again_makes_nothing(friday):
    roll()
    assert roll(FRIDAY + timedelta(hours=1)) == RollCounts()
    assert AuditEvent.objects.filter(action="markets.rolled").count() == 1


def test_the_next_bar_rolls_the_shortest_horizon_only(friday):
    roll()
    store_candles(candle(MONDAY, "2020"), now=MONDAY)
    assert roll(MONDAY) == RollCounts(instruments=1, events=1, markets=4)
    assert of_horizon(1).count() == 8


def test_nothing_is_rolled_from_a_bar_whose_next_one_is_overdue(friday):
    roll(MONDAY + timedelta(hours=1))
    assert of_horizon(1).count() == 0
    assert of_horizon(5).count() == 4


def test_over_the_weekend_nothing_settles_on_the_stale_friday(friday):
    roll()
    assert resolve(FRIDAY + 2 * DAY) == 0
    assert resolve(MONDAY + timedelta(hours=3)) == 0
    assert Result.objects.count() == 0
    assert set(of_horizon(1).values_list("state", flat=True)) == {"closed"}
    assert set(of_horizon(5).values_list("state", flat=True)) == {"open"}


def test_a_running_bar_settles_nothing(friday):
    roll()
    store_candles(candle(MONDAY, "2020", final=False), now=MONDAY)
    assert resolve(MONDAY + timedelta(hours=3)) == 0


def test_mondays_final_bar_settles_the_markets_of_one_bar(friday):
    roll()
    store_candles(candle(MONDAY, "2010"), now=MONDAY)
    assert resolve(MONDAY) == 4
    assert set(of_horizon(1).values_list("state", flat=True)) == {"resolved"}
    assert payouts_of(of_horizon(1).get(pays="linear")) == {"Close": Decimal(2010)}
    assert payouts_of(of_horizon(1).get(source_key__endswith=":-1")) == {"Yes": 1, "No": 0}
    assert payouts_of(of_horizon(1).get(source_key__endswith=":+0")) == {"Yes": 0, "No": 1}  # at the threshold is not above
    assert payouts_of(of_horizon(1).get(source_key__endswith=":+1")) == {"Yes": 0, "No": 1}
    assert resolve(MONDAY) == 0
    told = AuditEvent.objects.get(action="rolled-markets.resolved")
    assert told.detail["count"] == 4


def payouts_of(market: Market) -> dict[str, Decimal]:
    result = result_of(market.id)
    labels = {outcome.id: outcome.label for outcome in market.outcomes.all()}
    return {labels[outcome_id]: payout for outcome_id, payout in result.payouts.items()}


def test_after_a_holiday_the_first_bar_at_or_after_the_close_counts(friday):
    roll()
    store_candles(candle(MONDAY + DAY, "2100"), candle(MONDAY + 2 * DAY, "1900"), now=MONDAY + 2 * DAY)
    assert resolve(MONDAY + 2 * DAY) == 4
    assert payouts_of(of_horizon(1).get(pays="linear")) == {"Close": Decimal(2100)}


def test_a_bar_before_the_close_is_not_the_closing_bar(friday):
    roll()
    store_candles(candle(MONDAY - DAY, "1500"), now=MONDAY)
    assert resolve(MONDAY) == 0
    store_candles(candle(MONDAY + timedelta(hours=1), "2500"), now=MONDAY)
    assert resolve(MONDAY + timedelta(hours=1)) == 4
    assert payouts_of(of_horizon(1).get(pays="linear")) == {"Close": Decimal(2500)}


def test_a_restated_closing_bar_restates_the_results_that_differ(friday):
    roll()
    store_candles(candle(MONDAY, "2010"), now=MONDAY)
    resolve(MONDAY)
    store_candles(candle(MONDAY, "2011"), now=MONDAY + DAY)
    changed = Result.objects.filter(revision=2).values_list("market__source_key", flat=True)
    assert sorted(key.rpartition(":")[2] for key in changed) == ["+0", "close"]
    assert payouts_of(of_horizon(1).get(source_key__endswith=":+0")) == {"Yes": 1, "No": 0}
    assert Result.objects.count() == 6


def test_compressed_bars_close_after_so_many_spacings(db):
    start = FRIDAY
    step = timedelta(seconds=5)
    prices = [2000 + (index * 7) % 20 for index in range(60)]
    store_candles(*(candle(start + index * step, str(price)) for index, price in enumerate(prices[:30])), now=start)
    settled = []
    for index in range(30, 60):
        now = start + (index - 1) * step
        roll(now + timedelta(seconds=1))
        store_candles(candle(start + index * step, str(prices[index])), now=now + step)
        settled.append(resolve(start + index * step))
    assert sum(settled) == Result.objects.count()
    assert settled.count(0) == 0
    assert sum(settled) == 30 * 4 + 6 * 4 + 1 * 4
    for market in of_horizon(5).filter(pays="linear", state="resolved"):
        index = (market.closes_at - start) // step
        assert payouts_of(market) == {"Close": Decimal(prices[index])}


def test_too_short_a_history_rolls_nothing(db):
    store_candles(*history(count=20), now=FRIDAY)
    assert roll() == RollCounts()


@pytest.mark.django_db(transaction=True)
def test_many_rollers_make_one_set():
    store_candles(*history(), now=FRIDAY)
    instrument = selectors.instruments()[0]
    gate = threading.Barrier(6)
    made: list[int] = []

    def work() -> None:
        gate.wait(timeout=10)
        try:
            made.append(services.roll_instrument(instrument=instrument, now=FRIDAY, by=BY).markets)
        finally:
            connections.close_all()

    run_all(work, 6)
    assert sorted(made) == [0, 0, 0, 0, 0, 12]
    assert Market.objects.count() == 12


@pytest.mark.django_db(transaction=True)
def test_many_resolvers_write_each_result_once():
    store_candles(*history(), now=FRIDAY)
    roll()
    store_candles(candle(MONDAY, "2020"), now=MONDAY)
    gate = threading.Barrier(6)
    found: list[int] = []

    def work() -> None:
        gate.wait(timeout=10)
        try:
            found.append(resolve(MONDAY))
        finally:
            connections.close_all()

    run_all(work, 6)
    assert sum(found) == 4
    assert Result.objects.count() == 4
    assert Instrument.objects.count() == 1


def run_all(work, count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
