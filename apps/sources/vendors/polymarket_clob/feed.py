"""From the CLOB's books and histories to the desk's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from apps.core.errors import Transient
from apps.sources.errors import BadRow
from apps.sources.gates.books import believed, digest_of, in_order, once
from apps.sources.gathering import gather
from apps.sources.paging import missing
from apps.sources.ports import Caller, Gathered
from apps.sources.types import BookRecord, Level, PricePoint
from apps.sources.vendors.polymarket_clob import client, wire
from apps.sources.vendors.polymarket_clob.wire import WireLevel


async def books(caller: Caller, outcome_keys: Sequence[str]) -> Gathered[BookRecord]:
    """Fetch the books of these outcomes; those without one are left out. Raises what the first question raises."""
    gathered: Gathered[BookRecord] = Gathered()
    for start in range(0, len(outcome_keys), client.BOOKS_PER_CALL):
        try:
            gathered = gathered.plus(await _some_books(caller, outcome_keys[start : start + client.BOOKS_PER_CALL]))
        except Transient as error:
            if start == 0:
                raise
            gathered = gathered.plus(missing(error))
    kept, second = once(gathered.records)
    return replace(gathered, records=kept, rejected=gathered.rejected + second)


async def _some_books(caller: Caller, asked: Sequence[str]) -> Gathered[BookRecord]:
    reply = await client.books(caller, asked)
    read = partial(as_record, asked=frozenset(asked), received_at=reply.received_at)
    return gather(wire.read_books(reply.body), read, key="asset_id")


async def price_history(caller: Caller, outcome_key: str) -> Gathered[PricePoint]:
    """Fetch the last day of an outcome's price, oldest first, each moment once. Raises BadAnswer."""
    reply = await client.prices_history(caller, outcome_key)
    points = gather(wire.read_history(reply.body), partial(as_point, outcome_key=outcome_key), key="t")
    ordered, second = in_order(points.records)
    return replace(points, records=ordered, rejected=points.rejected + second)


def as_record(value: object, *, asked: frozenset[str], received_at: datetime) -> BookRecord:
    """Turn one raw book into the desk's record, best level first. Raises BadRow, also for what the gates refuse.

    The tick of a market becomes finer near its end; prices are taken as they are and never held against a tick.
    """
    book = wire.read_book(value)
    if book.asset_id not in asked:
        raise BadRow("asset_id is not one that was asked for")
    bids = tuple(Level(level.price, level.size) for level in sorted(book.bids, key=_price, reverse=True))
    asks = tuple(Level(level.price, level.size) for level in sorted(book.asks, key=_price))
    return believed(
        BookRecord(
            outcome_key=book.asset_id,
            bids=bids,
            asks=asks,
            vendor_at=book.at,
            received_at=received_at,
            digest=digest_of(bids, asks),
        )
    )


def as_point(value: object, *, outcome_key: str) -> PricePoint:
    """Turn one raw point into the desk's record. Raises BadRow."""
    point = wire.read_point(value)
    return PricePoint(outcome_key=outcome_key, at=point.at, price=point.price)


def _price(level: WireLevel) -> Decimal:
    return level.price
