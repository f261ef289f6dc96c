"""Making forecasts: exact counts, one batch, one commitment."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Event as AuditEvent
from apps.core.db import InsideTransaction, only_one
from apps.forecasts import selectors, services
from apps.forecasts.errors import ForecastNotFound, MarketNotOpen
from apps.forecasts.models import Forecast, PoolWeights
from apps.markets.errors import MarketNotFound
from apps.markets.models import Market
from tests.integration.forecasts.little_world import (
    NOW,
    add_bar,
    last_close,
    make_horizon,
    make_instrument,
    make_market,
    make_threshold,
    quote,
)

SECOND = timedelta(seconds=1)


def forecast(now=NOW):
    return services.forecast_due(now=now, by="test")


def forecast_one(market, *, force, now, by):
    return services.forecast_market(market_id=market.id, force=force, now=now, by=by)


def latest(market):
    return selectors.latest_forecast(market.id)


def committed():
    return AuditEvent.objects.filter(action="forecasts.committed").order_by("id")


@pytest.mark.django_db
def test_a_market_with_a_book_gets_price_model_and_pool():
    market = make_market()
    quote(market, "0.50", "0.52", bid_units="300", ask_units="100")
    assert forecast() == 1
    made = latest(market)
    assert (made.p_price, made.bid, made.ask) == (Decimal("0.51"), Decimal("0.50"), Decimal("0.52"))
    # Two thirds of the life are left: the micro-price 0.515 and as much again times 2/3 for the depth.
    assert made.p_model == pytest.approx(Decimal("0.5183333333"))
    assert made.p_final == pytest.approx(Decimal("0.51"))
    assert (made.p_base, made.is_price_stale, made.price_age_s) == (Decimal("0.5"), False, 0.0)
    assert (made.source, made.category, made.horizon) == ("polymarket_gamma", "crypto", "5m-15m")
    weights = PoolWeights.objects.get(id=made.weights_id)
    assert (weights.w, weights.b, weights.trained_on) == (0.0, 0.0, 0)


@pytest.mark.django_db
def test_every_kind_of_market_is_forecast_in_one_batch_with_one_commitment():
    instrument = make_instrument()
    for _ in range(3):
        quote(make_market())
    thresholds = [make_threshold(instrument, factor=factor) for factor in ("0.99", "1.0", "1.01")]
    linear = make_horizon(instrument)
    assert forecast() == 7
    chances = [latest(market).p_final for market in thresholds]
    assert chances == sorted(chances, reverse=True)
    assert len(set(chances)) == 3
    priced = latest(linear)
    assert priced.value == priced.value_price == last_close(instrument)
    assert priced.value_low < priced.value < priced.value_high
    assert (priced.p_final, priced.p_price) == (None, None)
    event = committed().get()
    assert event.detail["count"] == 7
    assert set(Forecast.objects.values_list("commitment", flat=True)) == {event.detail["digest"]}
    assert selectors.recomputed_commitment(commitment=event.detail["digest"], as_of=NOW) == event.detail["digest"]


@pytest.mark.django_db
def test_a_threshold_market_has_no_price_and_climatology_for_an_opponent():
    market = make_threshold(make_instrument(), factor="1.02")
    forecast()
    made = latest(market)
    assert (made.p_price, made.weights_id) == (None, None)
    assert made.p_final == made.p_model
    assert 0 < made.p_base < Decimal("0.5")
    assert made.p_low <= made.p_final <= made.p_high


@pytest.mark.django_db
def test_nothing_is_forecast_twice_on_the_same_inputs():
    quote(make_market())
    make_threshold(make_instrument())
    assert forecast() == 2
    assert forecast(NOW + SECOND) == 0
    assert Forecast.objects.count() == 2
    assert committed().count() == 1


@pytest.mark.django_db
def test_a_changed_book_or_a_new_bar_is_forecast_again():
    market, instrument = make_market(), make_instrument()
    quote(market)
    threshold = make_threshold(instrument)
    forecast()
    quote(market, "0.51", "0.53", at=NOW + SECOND)
    assert forecast(NOW + SECOND) == 1
    assert latest(market).p_price == Decimal("0.52")
    add_bar(instrument, NOW + 5 * SECOND, float(last_close(instrument)) * 1.02)
    assert forecast(NOW + 5 * SECOND) == 1
    first, second = Forecast.objects.filter(market=threshold).order_by("as_of")
    assert second.p_final > first.p_final
    assert (first.inputs["bars_left"], second.inputs["bars_left"]) == (5, 4)


@pytest.mark.django_db
def test_a_market_that_nobody_quotes_gets_the_base_rate_and_a_price_once_there_is_one():
    market = make_market()
    assert forecast() == 1
    made = latest(market)
    assert (made.model, made.p_price, made.p_model) == ("base-rate-1", None, None)
    assert made.p_final == made.p_base == Decimal("0.5")
    quote(market, at=NOW + SECOND)
    assert forecast(NOW + SECOND) == 1
    assert latest(market).p_price == Decimal("0.51")


@pytest.mark.django_db
def test_a_vanished_book_leaves_the_last_price_flagged_stale():
    market = make_market()
    quote(market, "0.60", "0.62")
    forecast()
    quote(market, "0.01", "0.99", at=NOW + SECOND)
    forecast(NOW + SECOND)
    made = latest(market)
    assert (made.p_price, made.is_price_stale, made.p_model, made.bid) == (Decimal("0.61"), True, None, None)


@pytest.mark.django_db
def test_an_instrument_with_too_few_bars_is_answered_without_a_model():
    instrument = make_instrument(bars=50)
    threshold, linear = make_threshold(instrument), make_horizon(instrument)
    assert forecast() == 2
    assert selectors.latest_forecast(threshold.id).model == "base-rate-1"
    made = latest(linear)
    assert (made.value, made.value_low) == (last_close(instrument), None)


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"state": "closed"}, {"closes_at": NOW}, {"state": "resolved"}])
def test_a_market_that_is_no_longer_open_is_left_alone(change):
    market = make_market()
    quote(market)
    Market.objects.filter(id=market.id).update(**change)
    assert forecast() == 0
    with pytest.raises(MarketNotOpen):
        forecast_one(market, force=True, now=NOW, by="test")
    assert (Forecast.objects.count(), committed().count()) == (0, 0)


@pytest.mark.django_db
def test_one_market_is_forecast_by_force_only_when_nothing_changed():
    market = make_market()
    quote(market)
    first = forecast_one(market, force=False, now=NOW, by="test")
    assert first.p_price == Decimal("0.51")
    assert forecast_one(market, force=False, now=NOW + SECOND, by="test") is None
    forced = forecast_one(market, force=True, now=NOW + SECOND, by="test")
    assert forced.as_of == NOW + SECOND
    assert Forecast.objects.count() == 2


@pytest.mark.django_db
def test_an_unknown_market_is_refused_and_nothing_is_stored():
    with pytest.raises(MarketNotFound):
        services.forecast_market(market_id="mkt_unknown", force=True, now=NOW, by="test")
    with pytest.raises(ForecastNotFound):
        selectors.latest_forecast("mkt_unknown")
    assert Forecast.objects.count() == 0


@pytest.mark.django_db
def test_inside_a_transaction_it_refuses_to_start():
    with transaction.atomic(), pytest.raises(InsideTransaction):
        forecast()


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"p_final": 1}, {"as_of": NOW - SECOND}, {"commitment": "x"}])
def test_a_stored_forecast_cannot_be_changed_or_removed(change):
    quote(make_market())
    forecast()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Forecast.objects.update(**change)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Forecast.objects.all()._raw_delete("default")
    assert Forecast.objects.count() == 1


@pytest.mark.django_db
def test_the_number_of_queries_does_not_grow_with_the_number_of_markets():
    instrument = make_instrument()
    seen = []
    for round_number in range(2):
        for _ in range(2 + 6 * round_number):
            quote(make_market())
            make_threshold(instrument)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert forecast() == 2 * (2 + 6 * round_number)
        seen.append(len(queries))
    # The first round also publishes the weights of a new group (its row, its audit event).
    assert seen[1] <= seen[0] <= 24


@pytest.mark.django_db(transaction=True)
def test_a_second_forecaster_leaves_at_once():
    quote(make_market())
    other = connection.copy()
    lock = "hashtextextended('only_one:forecasts.due', 0)"
    try:
        with other.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_lock({lock})")
            assert forecast() == 0
            assert Forecast.objects.count() == 0
            cursor.execute(f"SELECT pg_advisory_unlock({lock})")
        assert forecast() == 1
    finally:
        other.close()
    with only_one("forecasts.due") as is_free:
        assert is_free


@pytest.mark.django_db
def test_the_newest_forecasts_are_read_by_one_index_lookup_per_market():
    found = [make_market() for _ in range(30)]
    for market in found:
        quote(market)
    forecast()
    names = [field.attname for field in Forecast._meta.concrete_fields if not field.primary_key]
    Forecast.objects.bulk_create(
        Forecast(**{name: getattr(made, name) for name in names} | {"as_of": NOW - SECOND * (number + 1)})
        for made in Forecast.objects.all()
        for number in range(200)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE forecasts_forecast")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {selectors.LATEST_SQL}", [[market.id for market in found]])
        plan = str(cursor.fetchone()[0])
    assert "forecast_newest_of_market" in plan
    assert "Seq Scan" not in plan
    newest = selectors.latest_forecasts([market.id for market in found])
    assert [view.as_of for view in newest.values()] == [NOW] * 30
