"""Kalshi's order book as it is on the wire, read strictly.

A book holds bids only: a bid for no at 40 cents is an ask for yes at 60
(https://docs.kalshi.com/api-reference/market/get-multiple-market-orderbooks). Levels are pairs of price and count, the
best last; a side that nobody quotes is null. Newer answers say `{"orderbook_fp": {"yes_dollars", "no_dollars"}}` with
texts, older ones `{"orderbook": {"yes", "no"}}` in whole cents beside the same in dollars, which must agree then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.strict import Row, as_mapping, excerpt_of, number_in, parse_json
from apps.sources.types import Level

ZERO, ONE, HUNDRED = Decimal(0), Decimal(1), Decimal(100)
LEVELS_MAX = 2_000
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Bids:
    """The bids for each side, best first."""

    yes: tuple[Level, ...]
    no: tuple[Level, ...]


def read_orderbook(body: bytes) -> Mapping[str, object]:
    """Return the raw book of an answer. Raises BadAnswer."""
    answer = as_mapping(parse_json(body), what="the answer with a book")
    if not {"orderbook", "orderbook_fp"} & set(answer):
        raise BadAnswer("the answer has no book", excerpt=excerpt_of(body))
    return answer


def read_bids(value: object) -> Bids:
    """Read the book of one market. Raises BadRow."""
    answer = Row(value)
    books = [answer.row(name) for name in ("orderbook_fp", "orderbook") if answer.has(name)]
    return Bids(yes=_side(books, "yes"), no=_side(books, "no"))


def _side(books: Sequence[Row], side: str) -> tuple[Level, ...]:
    """Return one side from whichever writings the answer has; where there are two they must agree."""
    written = f"{side}_dollars"
    in_dollars = next((_levels(book.items(written), side) for book in books if book.has(written)), None)
    in_cents = next((_levels(book.items(side), side, per_dollar=HUNDRED) for book in books if book.has(side)), None)
    # Whole cents and whole contracts cannot show parts of them: there is nothing to compare then.
    if in_dollars and in_cents is not None and _is_whole(in_dollars) and in_dollars != in_cents:
        raise BadRow(f"{side} and {written} differ")
    return next((levels for levels in (in_dollars, in_cents) if levels is not None), ())


def _levels(values: Sequence[object], side: str, *, per_dollar: Decimal = ONE) -> tuple[Level, ...]:
    if len(values) > LEVELS_MAX:
        raise BadRow(f"{side} has more than {LEVELS_MAX} levels")
    levels = [_level(value, side, per_dollar) for value in values]
    if len({level.price for level in levels}) != len(levels):
        raise BadRow(f"{side} names one price twice")
    return tuple(sorted(levels, key=lambda level: level.price, reverse=True))


def _level(value: object, side: str, per_dollar: Decimal) -> Level:
    if not isinstance(value, list) or len(value) != 2:
        raise BadRow(f"{side} holds something that is not a level")
    price = _number(value[0], f"{side} price", is_text=per_dollar == ONE, high=HUNDRED * per_dollar) / per_dollar
    return Level(price, _number(value[1], f"{side} count", is_text=isinstance(value[1], str)))


def _number(value: object, name: str, *, is_text: bool, high: Decimal = Decimal(10) ** 12) -> Decimal:
    """Return a number above 0: a text in dollars, a JSON number in cents; counts come as either."""
    number = number_in(value, name, low=ZERO, high=high) if is_text else Row({name: value}).number(name, low=ZERO, high=high)
    if number == ZERO:
        raise BadRow(f"{name} is 0")
    return number


def _is_whole(levels: Sequence[Level]) -> bool:
    return all(level.price % CENT == ZERO and level.units % ONE == ZERO for level in levels)
