"""Real recorded markets from their first book to their scores, through the rooms of opinion."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from apps.forecasts import selectors as opinions
from apps.forecasts import services as forecasts
from apps.forecasts.models import Forecast, Score
from apps.markets import services as markets
from apps.signals import selectors, services
from apps.signals.models import Signal
from apps.sources.types import BookRecord, Level
from tests.integration.forecasts.little_world import make_event, make_market, outcomes_of, resolve

resolvedkit = pytest.importorskip("resolvedkit", reason="the package with recorded order books is not installed")
SNAPSHOTS_PER_MARKET = 12


def moment(epoch_ms):
    return datetime.fromtimestamp(epoch_ms / 1000, tz=UTC)


def recorded():
    """Return {market row: {moment: rows of both sides}} with a few moments of each recorded market before its close."""
    pandas = pytest.importorskip("pandas")
    folder = Path(resolvedkit.__file__).parent / "sample_data"
    books = pandas.read_parquet(folder / "books.parquet")
    found = []
    for market in pandas.read_parquet(folder / "markets.parquet").itertuples():
        ours = books[(books.market_id == market.market_id) & (books.ts < market.end_ts)]
        moments = sorted(ours.ts.unique())
        chosen = moments[:: max(1, len(moments) // SNAPSHOTS_PER_MARKET)][:SNAPSHOTS_PER_MARKET]
        found.append((market, {ts: list(ours[ours.ts == ts].itertuples()) for ts in chosen}))
    return found


def levels(prices, sizes):
    return tuple(Level(Decimal(str(price)), Decimal(str(size))) for price, size in zip(prices, sizes, strict=True))


def store(market, ts, rows):
    keys = dict(zip(("UP", "DOWN"), (outcome.source_key for outcome in outcomes_of(market)), strict=True))
    books = [
        BookRecord(
            outcome_key=keys[row.side],
            bids=levels(row.bid_px, row.bid_sz),
            asks=levels(row.ask_px, row.ask_sz),
            vendor_at=moment(ts),
            received_at=moment(ts),
            digest=f"{row.side}{ts}",
        )
        for row in rows
    ]
    markets.store_books(source="polymarket_clob", books=books, now=moment(ts), by="test")


@pytest.mark.django_db
def test_every_recorded_market_is_forecast_gets_one_shadow_signal_and_is_scored():
    played = recorded()
    assert len(played) == 18
    for row, moments in played:
        opens_at, closes_at = moment(row.start_ts), moment(row.end_ts)
        market = make_market(event=make_event(), opens_at=opens_at, closes_at=closes_at)
        type(market).objects.filter(id=market.id).update(created_at=opens_at - timedelta(days=1))
        for ts, rows in moments.items():
            store(market, ts, rows)
            forecasts.forecast_due(now=moment(ts), by="test")
            services.generate(now=moment(ts), by="test")
        resolve(market, int(row.payout_up), int(row.payout_down), at=closes_at + timedelta(seconds=90))
    assert opinions.markets_forecast_before_close() == 18
    assert Counter(Signal.objects.values_list("portfolio_kind", "state")) == {("shadow", "new"): 18, ("main", "suppressed"): 18}
    last_close = moment(max(row.end_ts for row, _ in played))
    scored = forecasts.score_resolved(now=last_close + timedelta(minutes=2), by="test")
    assert scored == Forecast.objects.count() == Score.objects.count()
    assert scored > 18 * 8
    found = selectors.verdict(source="polymarket_gamma", category="crypto")
    assert (found.evidence.events, found.is_proven) == (18, False)
    assert found.reason.startswith("unproven: 18 of 100 resolved events")
    group = opinions.score_groups()["polymarket_gamma/crypto"]
    assert (group["n"], group["markets"]) == (scored, 18)
    assert group["brier_price"] is not None
    assert 0 < group["brier_price"] < 0.25
    assert group["log_loss"] == pytest.approx(group["log_loss_price"], abs=1e-6)
