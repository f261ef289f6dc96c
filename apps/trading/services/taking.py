"""Taking signals: each becomes an order for every tenant, or is denied, or waits for a better moment.

One transaction per signal: claim, decision, hold, order, audit event and the signal's new state, all or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from apps.core.db import durable, transaction
from apps.core.money import decimals_of, to_pay_minor, to_receive_minor
from apps.markets import selectors as markets
from apps.markets.types import MarketView, Price
from apps.portfolio import selectors as portfolios
from apps.portfolio.types import PortfolioView
from apps.risk import selectors as risk
from apps.risk.types import OrderIntent
from apps.signals import services as signals
from apps.signals.types import SignalView
from apps.tenants import selectors as tenants
from apps.trading import sizing
from apps.trading.selectors import has_order_for_signal
from apps.trading.services.placing import Placement, place

SIGNALS_MAX = 100  # in one call; the next bell continues
# A signal that was put back waits 1, 2, 4, ... seconds of the world's time, at most this, before it is judged again.
WAIT_MAX_S = 300


@dataclass(frozen=True, slots=True)
class Chance:
    """A signal with the market and the price that it meets now."""

    signal: SignalView
    market: MarketView
    price: Price | None


@durable
def take_signals(*, now: datetime, by: str) -> int:
    """Turn the new signals into orders and return how many orders were placed."""
    _expire_stale(now=now, by=by)
    placed, seen = 0, set[str]()
    for _ in range(SIGNALS_MAX):
        orders = _take_next(seen, now=now, by=by)
        if orders is None:
            break
        placed += orders
    return placed


@transaction
def _expire_stale(*, now: datetime, by: str) -> None:
    signals.expire_stale(now=now, by=by)


@transaction
def _take_next(seen: set[str], *, now: datetime, by: str) -> int | None:
    """Take the first claimable signal that was not seen in this call; None when there is none."""
    claimable = signals.claim_new(limit=SIGNALS_MAX, now=now)
    signal = next((signal for signal in claimable if signal.id not in seen), None)
    if signal is None:
        return None
    seen.add(signal.id)
    market = markets.get_market(signal.market_id)
    price = markets.latest_prices((signal.outcome_id,)).get(signal.outcome_id)
    return _take(Chance(signal, market, price), now=now, by=by)


def _take(chance: Chance, *, now: datetime, by: str) -> int:
    signal = chance.signal
    takers = [portfolio for portfolio in _portfolios_of(signal) if _is_its_turn(signal, portfolio, now=now)]
    placements = [_place_for(chance, portfolio, now=now, by=by) for portfolio in takers]
    order_ids = [placement.order.id for placement in placements if placement.order]
    if order_ids:
        signals.mark_taken(signal_id=signal.id, order_id=order_ids[0], now=now)
    elif placements:
        _turn_down(signal, placements, now=now)
    return len(order_ids)


def _turn_down(signal: SignalView, placements: Sequence[Placement], *, now: datetime) -> None:
    """Deny the signal, or put a shadow signal back when waiting may help: its evidence must not depend on a bad moment."""
    decisions = [placement.decision for placement in placements if placement.decision]
    reason = ", ".join(sorted({code for decision in decisions for code in decision.reasons}))
    if signal.portfolio_kind == "shadow" and any(decision.is_transient for decision in decisions):
        signals.put_back(signal_id=signal.id, reason=reason, now=now)
    else:
        signals.mark_denied(signal_id=signal.id, reason=reason, now=now)


def _portfolios_of(signal: SignalView) -> tuple[PortfolioView, ...]:
    """Return the portfolios that this signal is for: one of each active tenant that has opened it."""
    opened = (portfolio for tenant in tenants.active_tenants() for portfolio in portfolios.portfolios(tenant.id))
    return tuple(portfolio for portfolio in opened if portfolio.kind == signal.portfolio_kind)


def _is_its_turn(signal: SignalView, portfolio: PortfolioView, *, now: datetime) -> bool:
    """Say whether this portfolio has no order from the signal yet and has waited long enough since its last refusal."""
    if has_order_for_signal(signal_id=signal.id, tenant_id=portfolio.tenant_id):
        return False
    if signal.attempts == 0:
        return True
    decided_at = risk.latest_decision_at(portfolio_id=portfolio.id, outcome_id=signal.outcome_id)
    wait_s = min(2 ** min(signal.attempts - 1, 16), WAIT_MAX_S) / settings.SCHEDULE_SPEED
    return decided_at is None or now - decided_at >= timedelta(seconds=wait_s)


def _place_for(chance: Chance, portfolio: PortfolioView, *, now: datetime, by: str) -> Placement:
    signal = chance.signal
    is_shadow = signal.portfolio_kind == "shadow"
    stake_minor, limit_price = _shadow_size(chance, portfolio) if is_shadow else _main_size(chance, portfolio, now=now)
    intent = OrderIntent(
        tenant_id=portfolio.tenant_id,
        portfolio_id=portfolio.id,
        portfolio_kind=portfolio.kind,
        market_id=signal.market_id,
        outcome_id=signal.outcome_id,
        side="buy",
        stake_minor=stake_minor,
        limit_price=limit_price,
        by=by,
    )
    key = f"signal:{signal.id}:{portfolio.tenant_id}:{signal.attempts}"
    return place(intent=intent, idempotency_key=key, signal_id=signal.id, now=now, by=by)


def _shadow_size(chance: Chance, portfolio: PortfolioView) -> tuple[int, Decimal | None]:
    """Stake the minimum at any price: evidence that picks its prices would be biased."""
    ask = chance.price.ask if chance.price and chance.price.ask is not None else Decimal(0)
    step = Decimal(1).scaleb(-decimals_of(portfolio.currency))
    stake = sizing.least_stake(settings.SHADOW_STAKE, ask=ask, min_units=chance.market.min_units, step=step)
    return to_pay_minor(stake, portfolio.currency), None


def _main_size(chance: Chance, portfolio: PortfolioView, *, now: datetime) -> tuple[int, Decimal | None]:
    """Stake a capped quarter-Kelly of the equity, as far as the book gives it before the edge is gone."""
    signal, market = chance.signal, chance.market
    limit_price = sizing.break_even_price(signal.p_model, market.fee_rate, tick=market.tick_size)
    book = markets.latest_books((signal.outcome_id,)).get(signal.outcome_id)
    on_offer = sizing.money_on_offer(book.asks if book else (), limit=limit_price)
    stake_minor = sizing.share_of_bankroll(
        signal.stake_fraction,
        bankroll_minor=portfolios.equity(portfolio.id, now=now).equity_minor,
        size_max_minor=risk.get_limits(portfolio.tenant_id).position_size_max_minor,
    )
    return min(stake_minor, to_receive_minor(on_offer, portfolio.currency)), limit_price
