"""Judging forecasts: once per result, again when it is restated, never when void."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from apps.audit.models import Event as AuditEvent
from apps.forecasts import selectors, services
from apps.forecasts.errors import UnknownGrouping
from apps.forecasts.models import Forecast, Judgement, Score
from apps.forecasts.scoring import log_loss
from tests.integration.forecasts.little_world import (
    NOW,
    make_event,
    make_horizon,
    make_instrument,
    make_market,
    make_threshold,
    quote,
    resolve,
)

LATER = NOW + timedelta(minutes=12)


def forecast_market(bid="0.60", ask="0.62", **fields):
    market = make_market(**fields)
    quote(market, bid, ask)
    services.forecast_market(market_id=market.id, force=True, now=NOW, by="test")
    return market


def evidence():
    return selectors.evidence(source="polymarket_gamma", category="crypto")


def score(now=LATER):
    return services.score_resolved(now=now, by="test")


@pytest.mark.django_db
def test_every_forecast_of_a_resolved_market_is_scored_once():
    market = forecast_market()
    quote(market, "0.70", "0.72", at=NOW + timedelta(seconds=1))
    services.forecast_market(market_id=market.id, force=True, now=NOW + timedelta(seconds=1), by="test")
    forecast_market()
    result = resolve(market, 1, 0)
    assert score() == 2
    assert score() == 0
    scores = Score.objects.order_by("forecast_id")
    assert [row.result_id for row in scores] == [result.id, result.id]
    assert [row.brier_price for row in scores] == pytest.approx([0.39**2, 0.29**2])
    assert [row.log_loss_price for row in scores] == pytest.approx([log_loss(0.61, 1), log_loss(0.71, 1)])
    judgement = Judgement.objects.get()
    assert (judgement.result_id, judgement.forecasts, judgement.payout) == (result.id, 2, Decimal(1))
    event = AuditEvent.objects.get(action="forecasts.scored")
    assert (event.detail["scores"], event.detail["markets"]) == (2, 1)


@pytest.mark.django_db
def test_a_restated_result_judges_again():
    market = forecast_market()
    resolve(market, 1, 0)
    score()
    restated = resolve(market, 0, 1, revision=2, at=NOW + timedelta(minutes=13))
    assert score() == 1
    row = Score.objects.get()
    assert (row.result_id, row.payout) == (restated.id, Decimal(0))
    assert row.brier_price == pytest.approx(0.61**2)
    assert Judgement.objects.count() == 2
    assert selectors.first_outcome_rates(["polymarket_gamma"]) == {("polymarket_gamma", "crypto"): (0.0, 1)}


@pytest.mark.django_db
def test_two_revisions_at_once_are_judged_by_the_newer():
    market = forecast_market()
    resolve(market, 1, 0)
    resolve(market, 0, 1, revision=2)
    assert score() == 1
    assert Score.objects.get().payout == Decimal(0)
    assert sorted(Judgement.objects.values_list("forecasts", flat=True)) == [0, 1]
    assert score() == 0


@pytest.mark.django_db
def test_a_void_market_has_no_scores_also_when_it_had_some():
    market = forecast_market()
    resolve(market, 1, 0)
    score()
    resolve(market, revision=2, kind="void")
    assert score() == 0
    assert Score.objects.count() == 0
    assert selectors.first_outcome_rates(["polymarket_gamma"]) == {}
    assert selectors.count_judged_markets() == 1


@pytest.mark.django_db
def test_a_late_commit_of_an_older_result_is_still_judged():
    first, second = forecast_market(), forecast_market()
    resolve(second, 1, 0, at=NOW + timedelta(minutes=11))
    assert score() == 1
    resolve(first, 1, 0, at=NOW + timedelta(minutes=10))
    assert score() == 1


@pytest.mark.django_db
def test_a_result_without_forecasts_is_judged_without_scores():
    market = make_market()
    resolve(market, 1, 0)
    assert score() == 0
    assert Judgement.objects.get().forecasts == 0


@pytest.mark.django_db
def test_more_results_than_one_transaction_takes_are_all_judged(monkeypatch):
    monkeypatch.setattr("apps.forecasts.services.judging.RESULTS_MAX", 3)
    for _ in range(8):
        resolve(forecast_market(), 1, 0)
    told = []
    assert services.score_resolved(now=LATER, by="test", progress=lambda *report: told.append(report)) == 8
    assert told == [(3, None, "3 scores"), (6, None, "6 scores"), (8, None, "8 scores")]
    assert (Score.objects.count(), Judgement.objects.count()) == (8, 8)
    assert AuditEvent.objects.filter(action="forecasts.scored").count() == 3


@pytest.mark.django_db
def test_rolled_markets_are_scored_against_climatology_and_the_last_close():
    instrument = make_instrument()
    threshold, linear = make_threshold(instrument), make_horizon(instrument)
    services.forecast_due(now=NOW, by="test")
    resolve(threshold, 1, 0)
    resolve(linear, "2100.5")
    assert score() == 2
    binary = Score.objects.get(market=threshold)
    assert (binary.log_loss_price, binary.brier_price) == (None, None)
    assert binary.log_loss_base is not None
    assert binary.log_loss == binary.log_loss_model
    priced = Score.objects.get(market=linear)
    assert priced.error is not None
    assert priced.error == priced.error_price
    assert (priced.brier, priced.log_loss) == (None, None)


@pytest.mark.django_db
def test_scores_by_group_are_means_beside_the_price():
    for payouts in ((1, 0), (0, 1)):
        resolve(forecast_market(), *payouts)
    resolve(forecast_market(event=make_event("sports")), 1, 0)
    score()
    groups = selectors.score_groups(by=("source", "category"))
    assert set(groups) == {"polymarket_gamma/crypto", "polymarket_gamma/sports"}
    crypto = groups["polymarket_gamma/crypto"]
    assert (crypto["n"], crypto["markets"]) == (2, 2)
    assert crypto["brier_price"] == pytest.approx((0.39**2 + 0.61**2) / 2)
    assert crypto["log_loss"] == pytest.approx(crypto["log_loss_price"])
    assert set(selectors.score_groups(by=("horizon",))) == {"5m-15m"}
    assert set(selectors.score_groups(by=("model",))) == {"book-microprice-1"}
    with pytest.raises(UnknownGrouping):
        selectors.score_groups(by=("password",))


@pytest.mark.django_db
def test_means_compare_like_with_like():
    """A forecast without a price, and one without an opinion of the model, must not tilt the comparison."""
    market = forecast_market()
    resolve(market, 1, 0)
    score()
    whole = Score.objects.get()
    assert whole.brier is not None
    assert whole.log_loss_price is not None
    for number, changes in enumerate(
        (
            {"brier": 0.9, "log_loss": 2.0, "brier_price": None, "log_loss_price": None, "log_loss_model": None},
            {"brier": 0.1, "log_loss": 0.1, "brier_price": 0.1, "log_loss_price": 0.1, "log_loss_model": None},
        )
    ):
        copy = Forecast.objects.get(id=whole.forecast_id)
        copy.id, copy.as_of = f"fct_copy{number}", copy.as_of - timedelta(seconds=1 + number)
        copy.save(force_insert=True)
        fields = {field.attname: getattr(whole, field.attname) for field in Score._meta.fields}
        Score.objects.create(**(fields | {"forecast_id": copy.id} | changes))
    group = selectors.score_groups()["polymarket_gamma/crypto"]
    assert (group["n"], group["n_without_price"], group["n_model"]) == (2, 1, 1)
    assert group["brier"] == pytest.approx((whole.brier + 0.1) / 2)
    assert group["log_loss_price"] == pytest.approx((whole.log_loss_price + 0.1) / 2)
    assert group["log_loss_model"] == whole.log_loss_model
    assert group["log_loss_price_beside_model"] == whole.log_loss_price


@pytest.mark.django_db
def test_calibration_compares_what_was_said_with_what_happened():
    for payouts in ((1, 0), (1, 0), (0, 1)):
        resolve(forecast_market(), *payouts)
    resolve(forecast_market("0.985", "0.995"), 1, 0)
    score()
    middle, top = selectors.calibration()
    assert (middle.low, middle.high, middle.n) == (0.6, 0.7, 3)
    assert [middle.mean_forecast, middle.mean_payout] == pytest.approx([0.61, 2 / 3])
    assert (top.low, top.high, top.n) == (0.9, 1.0, 1)
    assert selectors.calibration(source="desk") == ()


@pytest.mark.django_db
def test_evidence_counts_events_and_days_and_measures_the_gain():
    event = make_event()
    for _ in range(2):  # two markets of one event count once
        resolve(forecast_market(event=event), 1, 0)
    resolve(forecast_market(closes_at=NOW + timedelta(days=1)), 1, 0)
    score()
    found = evidence()
    assert (found.events, found.days) == (2, 2)
    # Bids are three times asks, so the model stood above the price, and the first outcome paid.
    assert found.gain > 0
    assert found.gain_low > 0
    assert found.p_value < 0.01
    assert found == evidence()
    assert selectors.evidence(source="polymarket_gamma", category="sports").events == 0
    assert selectors.evidence_groups() == (("polymarket_gamma", "crypto"),)


@pytest.mark.django_db
def test_resolved_markets_teach_the_base_rate():
    for payouts in ((1, 0), (1, 0), (0, 1)):
        resolve(forecast_market(), *payouts)
    score()
    market = forecast_market()
    assert selectors.latest_forecast(market.id).p_base == Decimal("0.6")


@pytest.mark.django_db
def test_charts_and_closing_prices_read_what_was_stored():
    market = forecast_market("0.60", "0.62")
    quote(market, "0.70", "0.72", at=NOW + timedelta(seconds=1))
    services.forecast_market(market_id=market.id, force=True, now=NOW + timedelta(seconds=1), by="test")
    points = selectors.forecast_series(market.id, since=NOW)
    assert [point.p_price for point in points] == [Decimal("0.61"), Decimal("0.71")]
    assert len(selectors.forecast_series(market.id, since=NOW, limit=1)) == 1
    assert selectors.closing_prices([market.id])[market.id].price == Decimal("0.71")
    assert selectors.latest_age_s(now=NOW + timedelta(seconds=31)) == 30.0
    assert selectors.markets_forecast_before_close() == 1


@pytest.mark.django_db
def test_the_tables_for_lists_are_dicts():
    market = forecast_market()
    resolve(market, 1, 0)
    score()
    row = selectors.forecasts_table().get()
    assert (row["market_id"], row["market__question"], row["p_price"]) == (market.id, market.question, Decimal("0.61"))
    assert selectors.scores_table().get()["forecast_id"] == row["id"]
    assert selectors.weights_table().get()["w"] == 0.0


@pytest.mark.django_db
def test_waiting_results_are_found_by_an_index():
    resolve(forecast_market(), 1, 0)
    score()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT observed_at FROM forecasts_judgement ORDER BY observed_at DESC LIMIT 1")
        assert "judgement_newest" in str(cursor.fetchall())
