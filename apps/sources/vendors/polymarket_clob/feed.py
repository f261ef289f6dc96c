"""From the CLOB's books and histories to the desk's."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.gathering import gather, lost
from apps.sources.ports import Caller, Gathered
from apps.sources.types import BookRecord, Level, PricePoint
from apps.sources.vendors.polymarket_clob import client, wire
from apps.sources.vendors.polymarket_clob.wire import WireLevel


async def books(caller: Caller, outcome_keys: Sequence[str]) -> Gathered[BookRecord]:
    """Fetch the books of these outcomes; those without one are left out. Raises BadAnswer when no answer is believable."""
    gathered: Gathered[BookRecord] = Gathered()
    for start in range(0, len(outcome_keys), client.BOOKS_PER_CALL):
        asked = outcome_keys[start : start + client.BOOKS_PER_CALL]
        reply = await client.books(caller, asked)
        try:
            rows = wire.read_books(reply.body)
        except BadAnswer as error:
            if start == 0:
                raise
            gathered = gathered.plus(lost(error))
            continue
        read = partial(as_record, asked=frozenset(asked), received_at=reply.received_at)
        gathered = gathered.plus(gather(rows, read, key="asset_id"))
    return gathered


async def price_history(caller: Caller, outcome_key: str) -> Gathered[PricePoint]:
    """Fetch the last day of an outcome's price. Raises BadAnswer."""
    reply = await client.prices_history(caller, outcome_key)
    return gather(wire.read_history(reply.body), partial(as_point, outcome_key=outcome_key), key="t")


def as_record(value: object, *, asked: frozenset[str], received_at: datetime) -> BookRecord:
    """Turn one raw book into the desk's record, best level first. Raises BadRow."""
    book = wire.read_book(value)
    if book.asset_id not in asked:
        raise BadRow("asset_id is not one that was asked for")
    bids = tuple(Level(level.price, level.size) for level in sorted(book.bids, key=_price, reverse=True))
    asks = tuple(Level(level.price, level.size) for level in sorted(book.asks, key=_price))
    return BookRecord(
        outcome_key=book.asset_id,
        bids=bids,
        asks=asks,
        vendor_at=book.at,
        received_at=received_at,
        digest=digest_of(bids, asks),
    )


def as_point(value: object, *, outcome_key: str) -> PricePoint:
    """Turn one raw point into the desk's record. Raises BadRow."""
    point = wire.read_point(value)
    return PricePoint(outcome_key=outcome_key, at=point.at, price=point.price)


def digest_of(bids: Sequence[Level], asks: Sequence[Level]) -> str:
    """Return a fingerprint of a book's levels; the same levels give the same one, however the numbers are written.

    The vendor's own hash covers the time too and would call an unchanged book new.
    """
    sides = ("|".join(f"{level.price.normalize()}:{level.units.normalize()}" for level in side) for side in (bids, asks))
    return hashlib.sha256("#".join(sides).encode()).hexdigest()[:32]


def _price(level: WireLevel) -> Decimal:
    return level.price
