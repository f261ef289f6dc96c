"""Ages and horizons shrink with the world's speed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from apps.forecasts import selectors, services
from apps.signals import services as signals
from tests.integration.forecasts.little_world import NOW, make_market, quote


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
