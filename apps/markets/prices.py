"""What can be read from best prices and depth; pure. Prices of binary outcomes are probabilities in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Protocol

ZERO, ONE, TWO = Decimal(0), Decimal(1), Decimal(2)
UNITS_MAX = Decimal(10) ** 15
PLACEHOLDER_BID = Decimal("0.01")
PLACEHOLDER_ASK = Decimal("0.99")


class PricedUnits(Protocol):
    """One level of a book."""

    @property
    def price(self) -> Decimal: ...

    @property
    def units(self) -> Decimal: ...


def mid(bid: Decimal | None, ask: Decimal | None) -> Decimal | None:
    """Return the middle of bid and ask, or None when a side is empty."""
    return None if bid is None or ask is None else (bid + ask) / TWO


def spread(bid: Decimal | None, ask: Decimal | None) -> Decimal | None:
    """Return ask less bid, or None when a side is empty."""
    return None if bid is None or ask is None else ask - bid


def microprice(bid: Decimal, ask: Decimal, bid_units: Decimal, ask_units: Decimal) -> Decimal:
    """Return the mid weighted by the depth of the other side; the mid when there is no depth.

    Many buyers push it towards the ask. It lies in [bid, ask]. Gatheral and Oomen, "Zero-intelligence realized
    variance estimation" (2010), call it so; Stoikov, "The micro-price" (2018), builds on it.
    """
    units = bid_units + ask_units
    return (bid + ask) / TWO if units == 0 else bid + (ask - bid) * bid_units / units


def overround(asks: Sequence[Decimal]) -> Decimal:
    """Return what buying one unit of every outcome costs above the one unit that is paid."""
    return sum(asks, ZERO) - ONE


def is_placeholder(bid: Decimal | None, ask: Decimal | None) -> bool:
    """Tell whether a book quotes nothing: at most a cent bid and at least 99 cents asked (or nobody there)."""
    has_no_bid = bid is None or bid <= PLACEHOLDER_BID
    has_no_ask = ask is None or ask >= PLACEHOLDER_ASK
    return has_no_bid and has_no_ask


def age_s(confirmed_at: datetime, *, now: datetime) -> float:
    """Return the seconds since a price was last confirmed, never negative."""
    return max(0.0, (now - confirmed_at).total_seconds())


def is_fresh(confirmed_at: datetime, *, now: datetime, age_max_s: float) -> bool:
    """Tell whether a price was confirmed within `age_max_s` seconds."""
    return age_s(confirmed_at, now=now) <= age_max_s


def fault_of_book(bids: Sequence[PricedUnits], asks: Sequence[PricedUnits]) -> str:
    """Say why a book cannot be believed, or return "".

    `outside`: a price not in [0, 1]. `units`: none at a price, or absurdly many. `unsorted`: not best first.
    `crossed`: someone bids more than another asks, which a matching venue cannot show.
    """
    levels = (*bids, *asks)
    if not all(level.price.is_finite() and ZERO <= level.price <= ONE for level in levels):
        return "outside"
    if not all(level.units.is_finite() and ZERO < level.units <= UNITS_MAX for level in levels):
        return "units"
    if not (_never_rises(bids) and _never_rises(asks[::-1])):
        return "unsorted"
    return "crossed" if bids and asks and bids[0].price > asks[0].price else ""


def _never_rises(levels: Sequence[PricedUnits]) -> bool:
    return all(better.price >= worse.price for better, worse in pairwise(levels))
