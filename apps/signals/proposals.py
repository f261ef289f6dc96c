"""From a forecast and the live prices of a market to the signals that it gives: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from apps.signals.edge import best_side, chance_of, edge_net, fee_per_unit, model_side
from apps.signals.gate import Verdict

if TYPE_CHECKING:
    from apps.forecasts.types import ForecastView
    from apps.markets.types import MarketView, Price
    from apps.signals.types import PortfolioKind, SignalState

PLACEHOLDER_BID_MAX, PLACEHOLDER_ASK_MIN = Decimal("0.01"), Decimal("0.99")  # a venue's empty book
REASON_LENGTH_MAX = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A signal that could be made: the side, its price, and what a unit is worth."""

    forecast: ForecastView
    outcome_id: str
    portfolio_kind: PortfolioKind
    state: SignalState
    reason: str
    p_model: Decimal
    p_price: Decimal
    ask: Decimal
    fee_per_unit: Decimal
    edge_net: Decimal


def is_live(price: Price | None, *, now: datetime, age_max: timedelta) -> bool:
    """Return whether somebody really quotes both sides, and lately."""
    if price is None or price.bid is None or price.ask is None or price.bid >= price.ask:
        return False
    is_placeholder = price.bid <= PLACEHOLDER_BID_MAX and price.ask >= PLACEHOLDER_ASK_MIN
    return not is_placeholder and now - price.confirmed_at <= age_max


def takes_orders(market: MarketView, *, now: datetime) -> bool:
    """Return whether a unit of this market could be bought now. Only pairs of outcomes are traded so far."""
    is_open = market.state == "open" and market.closes_at > now and market.accepts_orders
    return is_open and market.pays == "binary" and len(market.outcomes) == 2


def shadow(forecast: ForecastView, market: MarketView, prices: Mapping[str, Price]) -> Proposal | None:
    """Return the model's side of the market, whatever its net edge; None when it has no opinion or the side no ask."""
    if forecast.p_model is None or forecast.p_price is None:
        return None
    side = model_side(forecast.p_model, forecast.p_price)
    return None if side is None else _proposal(forecast, market, prices, side, kind="shadow", state="new", reason="")


def main(forecast: ForecastView, market: MarketView, prices: Mapping[str, Price], verdict: Verdict) -> Proposal | None:
    """Return the side with the best net edge if the model is proven and the edge positive.

    An unproven model's signal is suppressed and carries the gate's sentence; a proven one without an edge gives None.
    """
    if forecast.p_model is None or forecast.p_price is None:
        return None
    if not verdict.is_proven:
        side = model_side(forecast.p_model, forecast.p_price)
        reason = verdict.reason[:REASON_LENGTH_MAX]
        return None if side is None else _proposal(forecast, market, prices, side, kind="main", state="suppressed", reason=reason)
    best = best_side(forecast.p_model, _asks(market, prices), market.fee_rate)
    found = None if best is None else _proposal(forecast, market, prices, best, kind="main", state="new", reason="")
    return found if found and found.edge_net > 0 else None


def _asks(market: MarketView, prices: Mapping[str, Price]) -> Sequence[Decimal | None]:
    return [prices[outcome.id].ask if outcome.id in prices else None for outcome in market.outcomes]


def _proposal(
    forecast: ForecastView,
    market: MarketView,
    prices: Mapping[str, Price],
    side: int,
    *,
    kind: PortfolioKind,
    state: SignalState,
    reason: str,
) -> Proposal | None:
    ask = _asks(market, prices)[side]
    if ask is None or forecast.p_model is None or forecast.p_price is None:
        return None
    p_model = chance_of(side, forecast.p_model)
    return Proposal(
        forecast=forecast,
        outcome_id=market.outcomes[side].id,
        portfolio_kind=kind,
        state=state,
        reason=reason,
        p_model=p_model,
        p_price=chance_of(side, forecast.p_price),
        ask=ask,
        fee_per_unit=fee_per_unit(ask, market.fee_rate),
        edge_net=edge_net(p_model, ask, market.fee_rate),
    )
