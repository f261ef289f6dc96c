"""From the exchange's odds to the desk's prices and back; pure.

Backing at odds o with a stake s pays s·o if the runner wins: it buys s·o units at the price 1/o each. So what is
available to back is our ask side. Laying is the other side of a backer's bet: it takes the stake s and pays s·o if the
runner wins, which sells s·o units at 1/o: what is available to lay is our bid side. The longest odds to back are the
cheapest ask, the shortest odds to lay the dearest bid. Against a runner everything is mirrored: who sells Yes at p buys
No at 1 - p, so many units for so many. Sizes are in the exchange's currency, one unit pays one of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from apps.sources.types import BookRecord, Level
from apps.sources.vendors.betfair_stream.stream import Market, Side

ONE = Decimal(1)
PRICE_GRID, UNITS_GRID, ODDS_GRID = Decimal("1e-10"), Decimal("1e-6"), Decimal("0.01")


def book_of(market: Market, runner_id: int, *, key: str, is_against: bool, received_at: datetime) -> BookRecord | None:
    """Return the book of an outcome, or None where nothing can be bought or sold, or prices are in doubt."""
    ladders = market.runners.get(runner_id)
    definition = market.definition
    if ladders is None or definition is None or definition.status != "OPEN" or market.is_torn:
        return None
    asks, bids = asks_of(ladders.to_back()), bids_of(ladders.to_lay())
    if is_against:
        asks, bids = mirrored(bids), mirrored(asks)
    if not asks and not bids:
        return None
    return BookRecord(
        outcome_key=key, bids=bids, asks=asks, vendor_at=market.said_at, received_at=received_at, digest=_digest(bids, asks)
    )


def asks_of(to_back: Side) -> tuple[Level, ...]:
    """Return the ask side of what is available to back; prices are rounded up, never cheaper than they are."""
    return tuple(Level(price_of(odds, ROUND_UP), _units(odds, size)) for odds, size in to_back)


def bids_of(to_lay: Side) -> tuple[Level, ...]:
    """Return the bid side of what is available to lay; prices are rounded down."""
    return tuple(Level(price_of(odds, ROUND_DOWN), _units(odds, size)) for odds, size in to_lay)


def mirrored(levels: Iterable[Level]) -> tuple[Level, ...]:
    """Return the other outcome's opposite side."""
    return tuple(Level(ONE - level.price, level.units) for level in levels)


def price_of(odds: Decimal, rounding: str) -> Decimal:
    """Return the price of a unit at these odds."""
    return (ONE / odds).quantize(PRICE_GRID, rounding=rounding)


def odds_of(price: Decimal) -> Decimal:
    """Return the odds that a price came from: the exchange's odds have two decimals at most."""
    return (ONE / price).quantize(ODDS_GRID)


def _units(odds: Decimal, size: Decimal) -> Decimal:
    return (odds * size).quantize(UNITS_GRID, rounding=ROUND_DOWN)


def _digest(bids: Iterable[Level], asks: Iterable[Level]) -> str:
    sides = ("|".join(f"{level.price}:{level.units}" for level in side) for side in (bids, asks))
    return hashlib.sha256("#".join(sides).encode()).hexdigest()
