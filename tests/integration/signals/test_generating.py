"""Turning forecasts into signals: one shadow signal per market, and silence until proof."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from apps.audit.models import Event as AuditEvent
from apps.forecasts import selectors as opinions
from apps.forecasts import services as forecasts
from apps.forecasts.models import Forecast, PoolWeights, Score
from apps.markets.models import Market
from apps.signals import selectors, services
from apps.signals.gate import DAYS_MIN, EVENTS_MIN, Evidence, Figure
from apps.signals.models import Signal
from apps.signals.types import Counts
from tests.integration.forecasts.little_world import NOW, make_event, make_market, outcomes_of, quote, resolve

SECOND = timedelta(seconds=1)
PROVEN = Evidence(120, 40, Figure(0.02, 0.005, 0.001), Figure(0.01, 0.002, 0.001))


def forecast_market(bid="0.50", ask="0.52", *, bid_units="300", ask_units="100", **fields):
    market = make_market(**fields)
    quote(market, bid, ask, bid_units=bid_units, ask_units=ask_units)
    forecasts.forecast_market(market_id=market.id, force=True, now=NOW, by="test")
    return market


def generate(now=NOW):
    return services.generate(now=now, by="test")


def verdict():
    return selectors.verdict(source="polymarket_gamma", category="crypto")


def shadow_of(market):
    return Signal.objects.get(market=market, portfolio_kind="shadow")


def prove(monkeypatch, evidence=PROVEN):
    """Let the gate look at this evidence instead of the few rows of a test."""
    monkeypatch.setattr(selectors, "gate_evidence", lambda **_: evidence)


@pytest.mark.django_db
def test_a_fresh_forecast_gives_a_shadow_signal_and_a_suppressed_one_with_the_reason():
    market = forecast_market()
    assert generate() == Counts(shadow=1, suppressed=1, main=0)
    shadow = shadow_of(market)
    assert (shadow.state, shadow.outcome_id) == ("new", outcomes_of(market)[0].id)
    assert (shadow.p_price, shadow.ask) == (Decimal("0.51"), Decimal("0.52"))
    assert shadow.fee_per_unit == Decimal("0.07") * Decimal("0.52") * Decimal("0.48")
    assert shadow.edge_net == shadow.p_model - shadow.ask - shadow.fee_per_unit
    assert shadow.edge_net < 0  # the sample is taken whatever the edge
    silent = Signal.objects.get(portfolio_kind="main")
    assert silent.state == "suppressed"
    assert silent.reason == (
        "unproven: 0 of 100 resolved events, 0 of 30 days, log-loss gain over the price not measured yet, "
        "closing line value not measured yet: no signal"
    )
    deeds = AuditEvent.objects.filter(action__startswith="signal.").values_list("action", "subject")
    assert set(deeds) == {("signal.shadow", shadow.id), ("signal.suppressed", silent.id)}


@pytest.mark.django_db
def test_the_models_side_is_the_second_outcome_when_it_rates_the_first_below_the_price():
    market = forecast_market(bid_units="100", ask_units="300")
    generate()
    shadow = shadow_of(market)
    assert shadow.outcome_id == outcomes_of(market)[1].id
    assert (shadow.p_price, shadow.ask) == (Decimal("0.49"), Decimal("0.50"))
    assert shadow.p_model > shadow.p_price


@pytest.mark.django_db
def test_the_same_market_never_gives_a_second_pair():
    market = forecast_market()
    generate()
    quote(market, "0.40", "0.42", at=NOW + SECOND)
    forecasts.forecast_due(now=NOW + SECOND, by="test")
    assert generate(NOW + SECOND) == Counts()
    assert Signal.objects.count() == 2


@pytest.mark.django_db
def test_a_tie_waits_for_the_next_forecast():
    market = forecast_market(bid_units="100", ask_units="100")
    assert generate() == Counts()
    quote(market, "0.50", "0.52", bid_units="200", ask_units="100", at=NOW + SECOND)
    forecasts.forecast_due(now=NOW + SECOND, by="test")
    assert generate(NOW + SECOND) == Counts(shadow=1, suppressed=1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change", [{"accepts_orders": False}, {"state": "closed"}, {"state": "resolved"}, {"closes_at": NOW}, {"pays": "linear"}]
)
def test_a_market_that_cannot_be_bought_gives_none(change):
    market = forecast_market()
    Market.objects.filter(id=market.id).update(**change)
    assert generate() == Counts()
    assert Signal.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("bid", "ask"), [("0.01", "0.99"), ("0.51", None), (None, "0.52")])
def test_without_a_live_two_sided_book_it_waits(bid, ask):
    market = forecast_market()
    quote(market, bid, ask, at=NOW + SECOND)
    assert generate(NOW + SECOND) == Counts()
    assert Signal.objects.count() == 0
    quote(market, "0.50", "0.52", at=NOW + 2 * SECOND)
    assert generate(NOW + 2 * SECOND) == Counts(shadow=1, suppressed=1)


@pytest.mark.django_db
def test_an_old_forecast_or_an_old_book_moves_nothing():
    forecast_market()
    assert generate(NOW + timedelta(minutes=5, seconds=1)) == Counts()


@pytest.mark.django_db
def test_only_the_newest_forecast_of_a_market_counts():
    market = forecast_market()
    quote(market, "0.50", "0.52", bid_units="100", ask_units="100", at=NOW + SECOND)
    forecasts.forecast_due(now=NOW + SECOND, by="test")  # a tie: the opinion of a second ago is withdrawn
    assert generate(NOW + SECOND) == Counts()


@pytest.mark.django_db
def test_a_market_without_a_price_or_an_opinion_gives_none():
    market = make_market()
    forecasts.forecast_market(market_id=market.id, force=True, now=NOW, by="test")
    quote(market)
    assert generate() == Counts()


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_make_one_shadow_signal_per_market():
    markets = [forecast_market() for _ in range(5)]
    barrier, counts, errors = threading.Barrier(8), [], []

    def run():
        try:
            barrier.wait(timeout=20)
            counts.append(generate())
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []
    assert len(counts) == 8
    assert sum(count.shadow for count in counts) == sum(count.suppressed for count in counts) == 5
    assert {shadow_of(market).state for market in markets} == {"new"}
    assert Signal.objects.count() == 10
    assert AuditEvent.objects.filter(action__startswith="signal.").count() == 10


@pytest.mark.django_db
def test_a_proven_model_with_an_edge_speaks_once_per_market(monkeypatch):
    market = forecast_market(fee_rate=Decimal(0))
    opinion = Decimal("0.60")
    fresh = opinions.forecasts_for_signals
    monkeypatch.setattr(
        "apps.signals.services.generating.forecasts.forecasts_for_signals",
        lambda **given: tuple(_with_opinion(view, opinion) for view in fresh(**given)),
    )
    prove(monkeypatch)
    assert generate() == Counts(shadow=1, main=1)
    signal = Signal.objects.get(portfolio_kind="main")
    assert (signal.state, signal.edge_net, signal.outcome_id) == ("new", Decimal("0.08"), outcomes_of(market)[0].id)
    assert selectors.get_signal(signal.id).stake_fraction == pytest.approx(Decimal("0.0416667"), abs=Decimal("0.0001"))
    assert generate(NOW + SECOND) == Counts()


def _with_opinion(view, p_model):
    fields = {name: getattr(view, name) for name in type(view).__dataclass_fields__}
    return type(view)(**fields | {"p_model": p_model})


@pytest.mark.django_db
def test_a_proven_model_without_an_edge_stays_silent(monkeypatch):
    forecast_market()
    prove(monkeypatch)
    assert generate() == Counts(shadow=1)
    assert not Signal.objects.filter(portfolio_kind="main").exists()


@pytest.mark.django_db
def test_a_denied_main_signal_rests_before_the_next(monkeypatch):
    market = forecast_market(fee_rate=Decimal(0))
    generate()
    Signal.objects.filter(portfolio_kind="main").update(state="denied", decided_at=NOW)
    rested = NOW + timedelta(minutes=15, seconds=1)
    assert (market.id, "main") in selectors.decided_kinds([market.id], rested_before=NOW)
    assert (market.id, "main") not in selectors.decided_kinds([market.id], rested_before=rested)


@pytest.mark.django_db
def test_the_gate_shows_the_numbers_of_what_has_resolved():
    markets = [forecast_market(event=make_event()) for _ in range(3)]
    generate()
    for market in markets:
        resolve(market, 1, 0)
    forecasts.score_resolved(now=NOW + timedelta(minutes=12), by="test")
    found = verdict()
    assert not found.is_proven
    assert (found.evidence.events, found.evidence.days) == (3, 1)
    # The first outcome paid and the model stood above the price; the ask stood above the closing price.
    assert found.evidence.gain.mean > 0
    assert found.evidence.clv.mean == pytest.approx(-0.01)
    assert found.evidence.clv.low < 0
    assert found.reason.startswith("unproven: 3 of 100 resolved events, 1 of 30 days, log-loss gain over the price +0.0")
    assert set(selectors.verdicts()) == {("polymarket_gamma", "crypto")}


@pytest.mark.django_db
def test_a_group_that_nobody_forecast_is_unproven():
    found = selectors.verdict(source="polymarket_gamma", category="politics")
    assert not found.is_proven
    assert found.evidence.events == 0


@pytest.mark.django_db
def test_the_gate_opens_on_stored_evidence_alone():
    """A hundred events over thirty days, each with a gain, and shadow signals bought below the closing price."""
    market = forecast_market()
    generate()
    made, shadow = opinions.latest_forecast(market.id), shadow_of(market)
    assert PoolWeights.objects.count() == 1
    for number in range(EVENTS_MIN):
        closes_at = NOW - timedelta(days=number % DAYS_MIN + 1)
        _resolved_with_gain(make_event(), closes_at, made, shadow)
    found = selectors.verdict(source="polymarket_gamma", category="crypto")
    assert (found.evidence.events, found.evidence.days) == (EVENTS_MIN, DAYS_MIN)
    assert found.is_proven, found.reason
    Score.objects.filter(market__closes_at__lte=NOW - timedelta(days=DAYS_MIN)).delete()
    assert not selectors.verdict(source="polymarket_gamma", category="crypto").is_proven


def _resolved_with_gain(event, closes_at, made, shadow):
    market = make_market(event=event, closes_at=closes_at, state="resolved")
    outcome = outcomes_of(market)[0]
    stored = Forecast.objects.get(id=made.id)
    names = [field.attname for field in Forecast._meta.concrete_fields if not field.primary_key]
    values = {name: getattr(stored, name) for name in names}
    times = {"as_of": closes_at - SECOND, "scheduled_close_at": closes_at}
    forecast = Forecast.objects.create(**values | times | {"market_id": market.id, "outcome_id": outcome.id})
    Score.objects.create(
        forecast=forecast,
        result_id="res_1",
        market=market,
        source=forecast.source,
        category=forecast.category,
        horizon=forecast.horizon,
        payout=1,
        log_loss_price=0.67,
        log_loss_model=0.65,
        scored_at=NOW,
    )
    signal = Signal.objects.get(id=shadow.id)
    bought = {"id": None, "market_id": market.id, "outcome_id": outcome.id, "ask": Decimal("0.48")}
    fields = {field.attname: getattr(signal, field.attname) for field in Signal._meta.concrete_fields}
    Signal.objects.create(**{name: value for name, value in (fields | bought).items() if name != "id"})
