"""What a marketable order gets from a standing book: pure, exact, in decimals.

A buy takes the asks from the cheapest up until its money is spent; a sell takes the bids from the dearest down until
its units are gone; both stop at their limit. What is left over is not kept waiting: the walk is then depth-limited.

Fees follow Polymarket's taker curve, each match at its own price: units x rate x p x (1 - p), rounded to five decimals
(https://docs.polymarket.com/trading/fees).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from apps.markets.types import Book, Level

RejectionReason = Literal["placeholder_book", "no_liquidity", "price_limit", "no_position", "invalid_size"]

ZERO = Decimal(0)
ONE = Decimal(1)
# Less money or fewer units than this is nothing: no venue matches it.
DUST = Decimal("1e-9")
# An order that is short of its aim by more than this was limited by the book.
SHORTFALL_MIN = Decimal("1e-6")
# Units bought are cut (never rounded up) to this step, so that a buy cannot cost more than its money.
UNIT_STEP = Decimal("1e-12")
FEE_STEP = Decimal("0.00001")
# A fresh market shows a bid of 0.01 and an ask of 0.99 before anyone quotes it in earnest.
PLACEHOLDER_BID_MAX = Decimal("0.01")
PLACEHOLDER_ASK_MIN = Decimal("0.99")


@dataclass(frozen=True, slots=True)
class Leg:
    """Units taken at one level."""

    price: Decimal
    units: Decimal


@dataclass(frozen=True, slots=True)
class Walk:
    """The levels that an order took, and whether the book or the limit stopped it short of its aim."""

    legs: tuple[Leg, ...]
    is_depth_limited: bool

    @property
    def units(self) -> Decimal:
        """Add up the units taken."""
        return sum((leg.units for leg in self.legs), ZERO)

    @property
    def cost(self) -> Decimal:
        """Add up the money paid (or received on a sell), before fees."""
        return sum((leg.units * leg.price for leg in self.legs), ZERO)

    @property
    def average_price(self) -> Decimal:
        """Divide cost by units; 0 when nothing was taken."""
        units = self.units
        return self.cost / units if units else ZERO

    def fee(self, rate: Decimal) -> Decimal:
        """Charge each leg at its own price, the sum rounded half-even to five decimals."""
        exact = sum((leg.units * rate * leg.price * (ONE - leg.price) for leg in self.legs), ZERO)
        return exact.quantize(FEE_STEP, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Nothing was taken, and why."""

    reason: RejectionReason


@dataclass(frozen=True, slots=True)
class MatchOrder:
    """An order as the book sees it.

    A buy has `spend` (money, fees on top). A sell has `units` (None: all of `held`) and never sells more than `held`.
    `limit` is the highest price of a buy or the lowest of a sell.
    """

    side: Literal["buy", "sell"]
    spend: Decimal | None = None
    units: Decimal | None = None
    limit: Decimal | None = None
    held: Decimal = ZERO

    @property
    def units_to_sell(self) -> Decimal:
        """Return what a sell asks for, cut to what is held."""
        return self.held if self.units is None else min(self.units, self.held)


def walk_buy(asks: Sequence[Level], *, spend: Decimal, limit: Decimal | None) -> Walk:
    """Spend up to `spend` on `asks` (cheapest first), never paying more than `limit` a unit."""
    legs: list[Leg] = []
    remaining = spend
    for level in asks:
        if level.price <= ZERO or level.units <= ZERO:
            continue
        if remaining <= DUST:
            break
        if limit is not None and level.price > limit:
            return Walk(tuple(legs), is_depth_limited=True)
        affordable = (remaining / level.price).quantize(UNIT_STEP, rounding=ROUND_DOWN)
        taken = min(level.units, affordable)
        if taken <= ZERO:
            break
        legs.append(Leg(level.price, taken))
        remaining -= taken * level.price
    return Walk(tuple(legs), is_depth_limited=remaining > SHORTFALL_MIN)


def walk_sell(bids: Sequence[Level], *, units: Decimal, limit: Decimal | None) -> Walk:
    """Sell up to `units` into `bids` (dearest first), never for less than `limit` a unit."""
    legs: list[Leg] = []
    remaining = units
    for level in bids:
        if level.units <= ZERO:
            continue
        if remaining <= DUST:
            break
        if limit is not None and level.price < limit:
            return Walk(tuple(legs), is_depth_limited=True)
        taken = min(level.units, remaining)
        legs.append(Leg(level.price, taken))
        remaining -= taken
    return Walk(tuple(legs), is_depth_limited=remaining > SHORTFALL_MIN)


def is_placeholder(book: Book) -> bool:
    """Say whether nobody quotes this book in earnest; a missing bid counts as 0 and a missing ask as 1."""
    best_bid = book.bids[0].price if book.bids else ZERO
    best_ask = book.asks[0].price if book.asks else ONE
    return best_bid <= PLACEHOLDER_BID_MAX and best_ask >= PLACEHOLDER_ASK_MIN


def execute(book: Book, order: MatchOrder) -> Walk | Rejection:
    """Match `order` against `book` at once: what it took, or why it took nothing."""
    if is_placeholder(book):
        return Rejection("placeholder_book")
    walked = _execute_buy(book, order) if order.side == "buy" else _execute_sell(book, order)
    if isinstance(walked, Walk) and walked.units <= DUST:
        return Rejection("price_limit")
    return walked


def _execute_buy(book: Book, order: MatchOrder) -> Walk | Rejection:
    if order.spend is None or order.spend <= ZERO:
        return Rejection("invalid_size")
    if not book.asks:
        return Rejection("no_liquidity")
    return walk_buy(book.asks, spend=order.spend, limit=order.limit)


def _execute_sell(book: Book, order: MatchOrder) -> Walk | Rejection:
    if order.units_to_sell <= DUST:
        return Rejection("no_position")
    if not book.bids:
        return Rejection("no_liquidity")
    return walk_sell(book.bids, units=order.units_to_sell, limit=order.limit)
