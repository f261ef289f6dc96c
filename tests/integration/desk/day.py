"""Puts a desk's day into the database through the rooms' own services."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from apps.forecasts import services as forecasts
from apps.markets import selectors as markets
from apps.markets import services as market_services
from apps.markets.models import Market
from apps.markets.types import MarketView
from apps.monitoring import services as monitoring
from apps.portfolio import services as portfolio
from apps.risk import services as risk
from apps.settlement import services as settlement
from apps.signals import services as signals
from apps.sources import services as sources
from apps.tenants import services as tenants
from apps.trading import services as trading
from tests.integration.markets import making

BY = "test"
CAPITAL_MINOR = 100_000 * 10**6
LATENCY = timedelta(seconds=1)


@dataclass(frozen=True)
class Day:
    """The two markets of the day: `live` is open, `ended` was won by Down, which the shadow held, and settled."""

    live: MarketView
    ended: MarketView


def open_desk(*, now: datetime) -> None:
    """Make the demo tenant with its portfolios and limits, and register the sources."""
    sources.ensure_sources(by=BY, now=now)
    market_services.ensure_partitions(by=BY, now=now)
    tenant = tenants.ensure_tenant(slug="demo", name="Demo", currency="USDC", by=BY, now=now)
    portfolio.ensure_portfolios(
        tenant_id=tenant.id, capital_minor={"main": CAPITAL_MINOR, "shadow": CAPITAL_MINOR}, by=BY, now=now
    )
    risk.ensure_limits(tenant_id=tenant.id, by=BY, now=now)


def trade(number: int, *, at: datetime, closes_at: datetime) -> None:
    """List a market with a lopsided book, so that the model has an opinion, and let the shadow buy its side."""
    making.store(
        making.listed(number, opens_at=at - timedelta(minutes=5), closes_at=closes_at, question=f"Bitcoin up in round {number}?"),
        now=at,
    )
    for step, (bid, ask) in enumerate((("0.50", "0.52"), ("0.55", "0.57"))):
        moment = at + timedelta(seconds=step)
        other = (str(1 - Decimal(ask)), str(1 - Decimal(bid)))
        making.store_books(
            making.book(f"t{number}-up", bid=bid, ask=ask, at=moment),
            making.book(f"t{number}-down", bid=other[0], ask=other[1], at=moment),
            now=moment,
        )
        forecasts.forecast_due(now=moment, by=BY)
    acting = at + timedelta(seconds=2)
    signals.generate(now=acting, by=BY)
    trading.take_signals(now=acting, by=BY)
    for moment in (acting, acting + LATENCY):
        trading.work_due(now=moment, by=BY, owner="test")


def open_day(*, now: datetime) -> Day:
    """Trade one market that has ended and one that is live at `now`."""
    open_desk(now=now - timedelta(hours=1))
    start = now - timedelta(minutes=40)
    trade(1, at=start, closes_at=start + timedelta(minutes=15))
    ended_at = start + timedelta(minutes=20)
    ended = replace(
        making.won(1, ("0", "1")), question="Bitcoin up in round 1?", opens_at=start, closes_at=start + timedelta(minutes=15)
    )
    making.store(ended, now=ended_at)
    settlement.settle_due(now=ended_at, by=BY)
    forecasts.score_resolved(now=ended_at, by=BY)
    trade(2, at=now, closes_at=now + timedelta(minutes=30))
    monitoring.beat_heartbeat(now=now)
    found = {row.source_key: row.id for row in Market.objects.all()}
    return Day(live=markets.get_market(found["0x2"]), ended=markets.get_market(found["0x1"]))
