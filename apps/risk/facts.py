"""Gathering the facts of a situation from the rooms below, in a fixed small number of queries."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.conf import settings

from apps.core.money import to_receive_minor
from apps.ledger import selectors as ledger
from apps.markets import selectors as markets
from apps.markets.types import Book, Level, MarketView
from apps.portfolio import selectors as portfolios
from apps.portfolio.exposure import exposure_of
from apps.portfolio.types import PortfolioView
from apps.risk.pending import pending_stakes
from apps.risk.selectors import get_limits
from apps.risk.situation import MarketFacts, MoneyFacts, Situation, worst_fee_minor
from apps.risk.types import OrderIntent


def situation_of(intent: OrderIntent, *, portfolio: PortfolioView, now: datetime) -> Situation:
    """Gather everything that the checks look at, except locks. Raises MarketNotFound and LimitsNotFound."""
    market = markets.get_market(intent.market_id)
    stake_minor = intent.stake_minor or 0
    return Situation(
        now=now,
        speed=float(settings.SCHEDULE_SPEED),
        currency=portfolio.currency,
        kind=intent.portfolio_kind,
        side=intent.side,
        stake_minor=stake_minor,
        units=intent.units or Decimal(0),
        worst_fee_minor=worst_fee_minor(stake_minor, market.fee_rate, currency=portfolio.currency),
        limits=get_limits(intent.tenant_id),
        market=_market_facts(intent, market, currency=portfolio.currency, now=now),
        money=_money_facts(intent, market, portfolio, now=now),
        locks=(),
    )


def _market_facts(intent: OrderIntent, market: MarketView, *, currency: str, now: datetime) -> MarketFacts:
    price = markets.latest_prices((intent.outcome_id,)).get(intent.outcome_id)
    book = markets.latest_books((intent.outcome_id,)).get(intent.outcome_id)
    levels = _levels_within(book, intent)
    depth = sum((level.price * level.units for level in levels), Decimal(0))
    return MarketFacts(
        state=market.state,
        accepts_orders=market.accepts_orders,
        closes_at=market.closes_at,
        min_units=market.min_units,
        bid=price.bid if price else None,
        ask=price.ask if price else None,
        price_age_s=(now - price.confirmed_at).total_seconds() if price else None,
        depth_minor=to_receive_minor(depth, currency),
        depth_units=sum((level.units for level in levels), Decimal(0)),
    )


def _levels_within(book: Book | None, intent: OrderIntent) -> tuple[Level, ...]:
    """Return the levels that the intent may take, those beyond its limit left out."""
    if book is None:
        return ()
    limit = intent.limit_price
    if intent.side == "buy":
        return tuple(level for level in book.asks if limit is None or level.price <= limit)
    return tuple(level for level in book.bids if limit is None or level.price >= limit)


def _money_facts(intent: OrderIntent, market: MarketView, portfolio: PortfolioView, *, now: datetime) -> MoneyFacts:
    cash = ledger.get_account(tenant_id=intent.tenant_id, code=portfolio.account_code("cash"))
    exposure = exposure_of((*portfolios.open_stakes(portfolio.id), *pending_stakes(cash)))
    equity = portfolios.equity(portfolio.id, now=now)
    position = portfolios.position_of(portfolio.id, intent.outcome_id)
    outcome_minor = exposure.by_outcome_minor.get(intent.outcome_id, 0)
    return MoneyFacts(
        available_minor=cash.available_minor,
        equity_minor=equity.equity_minor,
        peak_minor=equity.peak_minor,
        day_start_minor=equity.day_start_minor,
        units_held=position.units if position else Decimal(0),
        positions_open=exposure.positions_open - (intent.outcome_id in exposure.by_outcome_minor),
        outcome_minor=outcome_minor,
        event_minor=exposure.by_event_minor.get(market.event_id, 0),
        category_minor=exposure.by_category_minor.get(market.category, 0),
    )
