"""From rows to the frozen views that cross the threshold."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from apps.markets.prices import PricedUnits
from apps.markets.types import (
    Bar,
    Book,
    InstrumentView,
    Level,
    MarketState,
    MarketView,
    OddsView,
    OutcomeView,
    Pays,
    Price,
    ResultKind,
    ResultView,
)

if TYPE_CHECKING:
    from apps.markets.models import BookmakerOdds, Candle, Instrument, LatestPrice, Market, Outcome, Quote, Result


def as_market(row: Market) -> MarketView:
    """Show a market with its outcomes in order; prefetch `outcomes` when there are many."""
    outcomes = sorted(row.outcomes.all(), key=lambda outcome: outcome.position)
    return MarketView(
        id=row.id,
        event_id=row.event_id,
        source=row.source,
        source_key=row.source_key,
        slug=row.slug,
        question=row.question,
        category=row.category,
        pays=cast(Pays, row.pays),
        instrument_id=row.instrument_id,
        threshold=row.threshold,
        horizon_bars=row.horizon_bars,
        state=cast(MarketState, row.state),
        accepts_orders=row.accepts_orders,
        opens_at=row.opens_at,
        closes_at=row.closes_at,
        fee_rate=row.fee_rate,
        tick_size=row.tick_size,
        min_units=row.min_units,
        outcomes=tuple(as_outcome(outcome) for outcome in outcomes),
    )


def as_outcome(row: Outcome) -> OutcomeView:
    """Show an outcome."""
    return OutcomeView(id=row.id, position=row.position, label=row.label, source_key=row.source_key)


def as_price(row: LatestPrice) -> Price:
    """Show the newest price of an outcome."""
    return Price(
        outcome_id=row.outcome_id,
        quote_id=row.quote_id,
        bid=row.bid,
        ask=row.ask,
        bid_units=row.bid_units,
        ask_units=row.ask_units,
        vendor_at=row.vendor_at,
        received_at=row.received_at,
        confirmed_at=row.confirmed_at,
        digest=row.digest,
    )


def as_levels(stored: Iterable[tuple[str, str]]) -> tuple[Level, ...]:
    """Read levels from their stored form, [["0.51", "205"], …]."""
    return tuple(Level(Decimal(price), Decimal(units)) for price, units in stored)


def stored_levels(levels: Iterable[PricedUnits]) -> str:
    """Write levels in their stored form, without exponents."""
    return json.dumps([[f"{level.price:f}", f"{level.units:f}"] for level in levels], separators=(",", ":"))


def as_book(row: Quote) -> Book:
    """Show a stored quote with its depth."""
    return Book(
        quote_id=row.id,
        outcome_id=row.outcome_id,
        bids=as_levels(row.bids),
        asks=as_levels(row.asks),
        vendor_at=row.vendor_at,
        received_at=row.received_at,
        digest=row.digest,
    )


def as_odds(row: BookmakerOdds) -> OddsView:
    """Show what a bookmaker offered."""
    return OddsView(
        outcome_id=row.outcome_id,
        bookmaker=row.bookmaker,
        odds=row.odds,
        is_suspended=row.is_suspended,
        is_closing=row.is_closing,
        vendor_at=row.vendor_at,
        received_at=row.received_at,
        digest=row.digest,
    )


def as_bar(row: Candle) -> Bar:
    """Show a candle."""
    return Bar(
        closes_at=row.closes_at,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        is_final=row.is_final,
    )


def as_instrument(row: Instrument) -> InstrumentView:
    """Show an instrument."""
    return InstrumentView(
        id=row.id,
        source=row.source,
        symbol=row.symbol,
        name=row.name,
        kind=row.kind,
        currency=row.currency,
        note=row.note,
    )


def as_result(row: Result) -> ResultView:
    """Show how a market ended."""
    return ResultView(
        id=row.id,
        market_id=row.market_id,
        revision=row.revision,
        kind=cast(ResultKind, row.kind),
        payouts={outcome_id: Decimal(payout) for outcome_id, payout in row.payouts.items()},
        observed_at=row.observed_at,
    )
