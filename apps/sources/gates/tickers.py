"""The gate for prices of now, before they are shown beside others: against the last good price, and against the clock."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal

from apps.sources.types import TickerRecord

WILD_RATIO = 50.0  # nothing on a screen moves this far between two looks; cents for units are a hundred
AGREE_RATIO = 1.25
AHEAD_MAX = timedelta(minutes=10)  # a vendor's clock may run ahead of ours so far


def fault_of(ticker: TickerRecord, *, last_good: Decimal | None, doubted: Decimal | None, old_after: timedelta) -> str:
    """Return why a price is not believed, or nothing.

    A price that lies a factor of 50 or more from the last good one is wild, unless another source said about the same
    a moment ago (`doubted`): then it is the last good one that was wrong. A price is old when the vendor says that it was
    traded more than `old_after` before the answer came, and of the future when that lies well after it.
    """
    if (
        last_good
        and ratio(ticker.price, last_good) >= WILD_RATIO
        and not (doubted and ratio(ticker.price, doubted) <= AGREE_RATIO)
    ):
        return f"wild: {ticker.price} after {last_good}"
    if ticker.vendor_at is None:
        return ""
    age = ticker.received_at - ticker.vendor_at
    when = "old" if age > old_after else "future" if -age > AHEAD_MAX else ""
    return f"{when}: traded at {ticker.vendor_at.isoformat()}" if when else ""


def ratio(price: Decimal, other: Decimal) -> float:
    """Return how many times the larger of two prices is the smaller; infinite when one is not a price."""
    low, high = sorted((price, other))
    return float(high / low) if low > 0 else math.inf
