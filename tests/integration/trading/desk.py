"""A small desk for tests of the money flow: a tenant with portfolios and limits, a market with stored books."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from apps.ledger import selectors as ledger
from apps.markets import selectors as markets
from apps.markets.models import Market
from apps.markets.types import MarketView
from apps.portfolio import selectors as portfolios
from apps.portfolio import services as portfolio
from apps.portfolio.types import PortfolioKind, PortfolioView
from apps.risk import services as risk
from apps.risk.types import OrderIntent
from apps.signals.models import Signal
from apps.tenants import services as tenants
from apps.trading import services as trading
from apps.trading.models import Order
from tests.integration.markets import making
from tests.integration.markets.making import NOW

BY = "test"
CAPITAL_MINOR = 100_000 * 10**6
AFTER_LATENCY = timedelta(milliseconds=300)
D = Decimal

__all__ = ["AFTER_LATENCY", "BY", "CAPITAL_MINOR", "NOW", "D", "Desk", "open_desk"]


@dataclass
class Desk:
    """One tenant's desk and one market, with short words for what happens to them."""

    tenant_id: str
    market: MarketView

    @property
    def up(self) -> str:
        return self.market.outcomes[0].id

    @property
    def down(self) -> str:
        return self.market.outcomes[1].id

    def portfolio(self, kind: PortfolioKind = "shadow") -> PortfolioView:
        return portfolios.get_portfolio(self.tenant_id, kind)

    def balances(self, kind: str = "shadow") -> dict[str, int]:
        accounts = ledger.accounts(self.tenant_id)
        return {row.code.partition(":")[2]: row.balance_minor for row in accounts if row.code.startswith(f"{kind}:")}

    def held_minor(self, kind: str = "shadow") -> int:
        return ledger.get_account(tenant_id=self.tenant_id, code=f"{kind}:cash").held_minor

    def intent(self, **changes: Any) -> OrderIntent:
        given = OrderIntent(
            tenant_id=self.tenant_id,
            portfolio_id=self.portfolio(changes.get("portfolio_kind", "main")).id,
            portfolio_kind="main",
            market_id=self.market.id,
            outcome_id=self.up,
            side="buy",
            stake_minor=5_000_000,
            by=BY,
        )
        return replace(given, **changes)

    def signal(self, kind: str = "shadow", **changes: Any) -> Signal:
        values = {
            "forecast_id": "fct_1",
            "market_id": self.market.id,
            "outcome_id": self.up,
            "portfolio_kind": kind,
            "state": "new",
            "model": "book",
            "p_model": D("0.60"),
            "p_price": D("0.51"),
            "ask": D("0.52"),
            "fee_per_unit": D("0.017472"),
            "edge_net": D("0.062528"),
            "made_at": NOW,
        }
        return Signal.objects.create(**{**values, **changes})

    def place(self, key: str = "k1", now: datetime = NOW, **changes: Any):
        return trading.place_order(intent=self.intent(**changes), idempotency_key=key, now=now, by=BY)

    def take(self, now: datetime = NOW) -> int:
        return trading.take_signals(now=now, by=BY)

    def work(self, now: datetime = NOW, owner: str = "worker-1"):
        return trading.work_due(now=now, by=BY, owner=owner)

    def fill(self, now: datetime = NOW) -> None:
        """Send what is accepted and fetch what the venue gave a moment later."""
        self.work(now)
        self.work(now + AFTER_LATENCY)

    def order(self) -> Order:
        return Order.objects.get()

    def quote(self, *, bid: str = "0.50", ask: str = "0.52", at: datetime = NOW, outcome: str = "up") -> None:
        making.store_books(making.book(f"t1-{outcome}", bid=bid, ask=ask, at=at), now=at)

    def resolve(self, payouts: tuple[str, ...] = ("1", "0"), *, status: str = "final", at: datetime | None = None) -> datetime:
        """Let the source say how the market ended, after its close; return that moment."""
        moment = at or self.market.closes_at + timedelta(minutes=10)
        making.store(making.won(1, payouts, status=status), now=moment)
        return moment


def open_desk(slug: str = "alice", *, with_market: bool = True) -> Desk:
    """Open a tenant with 100,000 USDC in each portfolio, default limits, and a market quoted at 0.50/0.52."""
    tenant = tenants.ensure_tenant(slug=slug, name=slug.title(), currency="USDC", by=BY, now=NOW)
    capital: dict[PortfolioKind, int] = {"main": CAPITAL_MINOR, "shadow": CAPITAL_MINOR}
    portfolio.ensure_portfolios(tenant_id=tenant.id, capital_minor=capital, by=BY, now=NOW)
    risk.ensure_limits(tenant_id=tenant.id, by=BY, now=NOW)
    if with_market:
        making.store(making.listed(1))
        making.store_books(making.book("t1-up"), making.book("t1-down", bid="0.48", ask="0.50"), now=NOW)
    market_id = Market.objects.get(source_key="0x1").id
    return Desk(tenant.id, markets.get_market(market_id))
