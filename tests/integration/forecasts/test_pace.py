"""A batch is cheap: CPU time of whole batches on real bars and books; and ages shrink with the world's speed."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal

import pytest

from apps.forecasts import selectors, services
from apps.forecasts.models import Forecast
from apps.signals import services as signals
from tests.integration.forecasts.little_world import NOW, make_instrument, make_market, make_threshold, quote

ROOM_FOR_SLOW_MACHINES = 3  # the budgets are of an idle core; the tests share theirs


def cpu_ms(work):
    before = time.process_time()
    work()
    return (time.process_time() - before) * 1000


@pytest.mark.django_db
def test_ten_books_take_fifty_milliseconds_of_cpu():
    for _ in range(10):
        quote(make_market())
    services.forecast_due(now=NOW, by="test")  # the first batch publishes weights and warms the code
    later = NOW + timedelta(seconds=1)
    for market_id in Forecast.objects.values_list("market_id", flat=True):
        quote(Forecast.objects.get(market_id=market_id).market, "0.51", "0.53", at=later)
    taken_ms = cpu_ms(lambda: services.forecast_due(now=later, by="test"))
    assert Forecast.objects.count() == 20
    assert taken_ms < 50 * ROOM_FOR_SLOW_MACHINES


@pytest.mark.django_db
def test_forty_thresholds_take_three_hundred_milliseconds_of_cpu():
    for seed in range(4):
        instrument = make_instrument(f"I{seed}", seed=seed)
        for horizon_bars in (1, 5, 20):
            for factor in ("0.99", "1.0", "1.01"):
                make_threshold(instrument, factor=factor, horizon_bars=horizon_bars)
        make_threshold(instrument, factor="1.05")
    taken_ms = cpu_ms(lambda: services.forecast_due(now=NOW, by="test"))
    assert Forecast.objects.count() == 40
    assert taken_ms < 300 * ROOM_FOR_SLOW_MACHINES


@pytest.mark.django_db
def test_in_a_fast_world_horizons_and_ages_are_the_worlds_own(settings):
    settings.SCHEDULE_SPEED = 60.0
    market = make_market(closes_at=NOW + timedelta(seconds=10))
    quote(market)
    services.forecast_due(now=NOW + timedelta(seconds=4), by="test")
    made = selectors.latest_forecast(market.id)
    assert (made.horizon, made.is_price_stale) == ("5m-15m", False)
    assert signals.generate(now=NOW + timedelta(seconds=4), by="test").shadow == 1


@pytest.mark.django_db
def test_in_a_fast_world_a_book_is_stale_sooner(settings):
    settings.SCHEDULE_SPEED = 60.0
    market = make_market(closes_at=NOW + timedelta(seconds=15))
    quote(market)
    late = NOW + timedelta(seconds=6)
    services.forecast_due(now=late, by="test")
    made = selectors.latest_forecast(market.id)
    assert (made.p_price, made.is_price_stale, made.p_model, made.price_age_s) == (Decimal("0.51"), True, None, 6.0)
    assert signals.generate(now=late, by="test").total == 0
