"""Which order books can be believed; pure.

A crossed book, a price in cents where units are meant, a side out of order, a moment of yesterday or tomorrow, and a
second book of one outcome are refused here, each with a reason for the quarantine. A placeholder book (nobody bids more
than 0.01, nobody asks less than 0.99) is a true answer without a price: it passes, `apps.markets` stores and counts it
as one, and forecasts, signals and the paper venue take no price from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from apps.sources.errors import BadRow
from apps.sources.strict import excerpt_of
from apps.sources.types import BookRecord, Level, PricePoint, Rejected

ZERO, ONE, HUNDRED = Decimal(0), Decimal(1), Decimal(100)
# A venue stamps a book with its last change, and quiet books change seldom; what a stuck cache serves is older.
AGE_MAX = timedelta(hours=24)
AHEAD_MAX = timedelta(seconds=10)


def believed(book: BookRecord) -> BookRecord:
    """Return the book. Raises BadRow with the reason when it cannot be believed."""
    reason = fault_of(book)
    if reason:
        raise BadRow(reason)
    return book


def fault_of(book: BookRecord) -> str:
    """Say why a book cannot be believed, or return ""."""
    return next((fault for check in CHECKS if (fault := check(book))), "")


def _fault_of_prices(book: BookRecord) -> str:
    prices = [level.price for level in (*book.bids, *book.asks)]
    if any(ONE < price < HUNDRED for price in prices):
        return f"prices are in cents, a hundred times too large: {max(prices)}"
    return "" if all(ZERO < price < ONE for price in prices) else "a price is not between 0 and 1"


def _fault_of_order(book: BookRecord) -> str:
    if not _falls(book.bids):
        return "bids are not best first, each price once"
    return "" if _falls(book.asks[::-1]) else "asks are not best first, each price once"


def _fault_of_cross(book: BookRecord) -> str:
    if not book.bids or not book.asks or book.bids[0].price <= book.asks[0].price:
        return ""
    return f"the book is crossed: {book.bids[0].price} bid above {book.asks[0].price} asked"


def _fault_of_moment(book: BookRecord) -> str:
    age = book.received_at - book.vendor_at
    if age > AGE_MAX:
        return f"the book is stale: older than {AGE_MAX.total_seconds() / 3600:.0f} hours"
    return "the book is of the future" if -age > AHEAD_MAX else ""


CHECKS: tuple[Callable[[BookRecord], str], ...] = (_fault_of_prices, _fault_of_order, _fault_of_cross, _fault_of_moment)


def _falls(levels: Sequence[Level]) -> bool:
    return all(better.price > worse.price for better, worse in pairwise(levels))


def digest_of(bids: Sequence[Level], asks: Sequence[Level]) -> str:
    """Return a fingerprint of a book's levels; the same levels give the same one, however the numbers are written.

    A vendor's own hash may cover the time too and would call an unchanged book new.
    """
    sides = ("|".join(f"{level.price.normalize()}:{level.units.normalize()}" for level in side) for side in (bids, asks))
    return hashlib.sha256("#".join(sides).encode()).hexdigest()[:32]


def once(books: Sequence[BookRecord]) -> tuple[tuple[BookRecord, ...], tuple[Rejected, ...]]:
    """Return one book for each outcome, the newest, and a rejected for each other one of the same answer."""
    newest: dict[str, BookRecord] = {}
    for book in books:
        known = newest.get(book.outcome_key)
        newest[book.outcome_key] = book if known is None or book.vendor_at > known.vendor_at else known
    second = [book for book in books if book is not newest[book.outcome_key]]
    rejected = (_rejected("a second book of the outcome", book.outcome_key, book.vendor_at) for book in second)
    return tuple(newest.values()), tuple(rejected)


def in_order(points: Sequence[PricePoint]) -> tuple[tuple[PricePoint, ...], tuple[Rejected, ...]]:
    """Return the points of one outcome oldest first, each moment once, and a rejected for another price of a moment."""
    first: dict[datetime, PricePoint] = {}
    for point in points:
        first.setdefault(point.at, point)
    second = [point for point in points if point.price != first[point.at].price]
    rejected = (_rejected("a second price of the moment", point.outcome_key, point.at, point.price) for point in second)
    return tuple(first[moment] for moment in sorted(first)), tuple(rejected)


def _rejected(reason: str, outcome_key: str, *said: object) -> Rejected:
    return Rejected(reason=reason, excerpt=excerpt_of([outcome_key, *map(str, said)]), key=outcome_key)
