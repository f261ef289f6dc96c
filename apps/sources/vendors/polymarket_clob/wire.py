"""The CLOB's book and price history as they are on the wire, read strictly.

Prices and sizes are texts, the timestamp is a text of milliseconds, and the best level of each side comes last
(https://docs.polymarket.com/developers/open-api/get-book.json). A token without a book is left out of the answer.
`tick_size`, `min_order_size` and `neg_risk` stand in the answer too; the desk takes a market's tick and least order from
Gamma, and a book of a negative-risk market is read like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadRow
from apps.sources.strict import Row, as_mapping, as_rows, moment_of_milliseconds, number_in, parse_json

# Wider than prices are, so that the gates of books can say what is wrong: cents where units are meant.
LOWEST, HIGHEST = Decimal("0.0001"), Decimal("99.99")
SMALLEST_SIZE = Decimal("0.000001")
LEVELS_MAX = 2_000
PRICE_DECIMALS = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class WireLevel:
    """One level as written: price and size."""

    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class WireBook:
    """One book with the fields that the desk uses; levels in the vendor's own order."""

    asset_id: str
    at: datetime
    bids: tuple[WireLevel, ...]
    asks: tuple[WireLevel, ...]


@dataclass(frozen=True, slots=True)
class WirePoint:
    """One point of a price history."""

    at: datetime
    price: Decimal


def read_books(body: bytes) -> list[object]:
    """Return the raw books of an answer. Raises BadAnswer."""
    return as_rows(parse_json(body), what="the answer with books")


def read_history(body: bytes) -> list[object]:
    """Return the raw points of a price history. Raises BadAnswer."""
    answer = as_mapping(parse_json(body), what="the price history")
    return as_rows(answer.get("history"), what="the list of points")


def read_book(value: object) -> WireBook:
    """Read one book. Raises BadRow."""
    row = Row(value)
    return WireBook(
        asset_id=row.text("asset_id", length_max=80),
        at=moment_of_milliseconds(row.text("timestamp", length_max=20), "timestamp"),
        bids=_levels(row.items("bids"), "bids"),
        asks=_levels(row.items("asks"), "asks"),
    )


def read_point(value: object) -> WirePoint:
    """Read one point of a price history; its price is a JSON number with the noise of floats. Raises BadRow."""
    row = Row(value)
    price = row.number("p", low=Decimal(0), high=Decimal(1))
    return WirePoint(at=row.seconds_moment("t"), price=price.quantize(PRICE_DECIMALS))


def _levels(values: Sequence[object], side: str) -> tuple[WireLevel, ...]:
    if len(values) > LEVELS_MAX:
        raise BadRow(f"{side} has more than {LEVELS_MAX} levels")
    levels = tuple(_level(value, side) for value in values)
    if len({level.price for level in levels}) != len(levels):
        raise BadRow(f"{side} names one price twice")
    return levels


def _level(value: object, side: str) -> WireLevel:
    # Books hold thousands of levels: they are read without the machinery of `Row`.
    if not isinstance(value, dict):
        raise BadRow(f"{side} holds something that is not a level")
    price = number_in(value.get("price"), f"{side} price", low=LOWEST, high=HIGHEST)
    return WireLevel(price, number_in(value.get("size"), f"{side} size", low=SMALLEST_SIZE))
