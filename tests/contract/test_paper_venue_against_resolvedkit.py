"""The paper venue's walk through a book, against a peer that no one here wrote.

`resolvedkit` is an open backtester for these very books. Two hundred random orders go through its engine (latency 250 ms,
the vendor's fee curve) and through ours: price, units, fee, the partial flag and the reason of a refusal are the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import pytest
from resolvedkit import engine as peer
from resolvedkit.data.parquet import ParquetSource
from resolvedkit.data.sample import load_sample
from resolvedkit.fees import rate_for
from resolvedkit.models import Book as PeerBook
from resolvedkit.models import Level as PeerLevel
from resolvedkit.models import Market as PeerMarket

from apps.markets.types import Book, Level
from apps.trading.matching import MatchOrder, Rejection, Walk, execute

LATENCY_MS = 250
ORDERS = 200
SEED = 20260928
# Theirs are floats, ours decimals: they agree to a billionth.
TOLERANCE = 1e-9
FEE_STEP = Decimal("0.00001")
TIE_WIDTH = Decimal("1e-9")


@dataclass(frozen=True)
class Case:
    """One random order: submitted at a snapshot of either outcome of one market."""

    market: PeerMarket
    outcome: str
    action: str
    submitted_ms: int
    amount: float | None
    limit: float | None
    held: float

    def __str__(self) -> str:
        return f"{self.action} {self.amount} of {self.outcome} limit {self.limit} held {self.held} at {self.submitted_ms}"


class PlaceOnce(peer.Strategy):  # type: ignore[misc]  # the peer ships no types
    """Holds what the case says and places its one order at its moment."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def on_start(self, ctx: peer.Context) -> None:
        ctx.position(self.case.outcome).shares = self.case.held
        ctx.state["placed"] = False

    def on_book(self, ctx: peer.Context, book: PeerBook) -> None:
        if ctx.state["placed"] or ctx.now != self.case.submitted_ms:
            return
        ctx.state["placed"] = True
        if self.case.action == "BUY":
            ctx.buy(self.case.outcome, self.case.amount, self.case.limit)
        else:
            ctx.sell(self.case.outcome, self.case.amount, self.case.limit)


@pytest.fixture(scope="module")
def sample() -> ParquetSource:
    return load_sample()


@pytest.fixture(scope="module")
def cases(sample: ParquetSource) -> list[Case]:
    dice = Random(SEED)
    markets = sample.markets()
    return [random_case(dice, sample, dice.choice(markets)) for _ in range(ORDERS)]


def random_case(dice: Random, sample: ParquetSource, market: PeerMarket) -> Case:
    """Choose an instant (a third of them in the last stretch, where books get thin), a size and a limit near the touch."""
    books = sample.books(market.market_id)
    submitted_ms = dice.choice(books[-180:] if dice.random() < 1 / 3 else books).ts
    outcome = dice.choice(["UP", "DOWN"])
    action = dice.choice(["BUY", "SELL"])
    book = standing(sample, market, outcome, submitted_ms + LATENCY_MS)
    touch = (book.best_ask if action == "BUY" else book.best_bid) or 0.5
    return Case(
        market=market,
        outcome=outcome,
        action=action,
        submitted_ms=submitted_ms,
        amount=random_amount(dice, action),
        limit=None if dice.random() < 0.4 else round(touch + dice.randint(-4, 6) / 100, 3),
        held=0.0 if action == "BUY" or dice.random() < 0.1 else round(10 ** dice.uniform(0, 4.5), 2),
    )


def random_amount(dice: Random, action: str) -> float | None:
    """Choose money or units from cents to more than the book holds; now and then nothing, or everything held."""
    if dice.random() < 0.05:
        return 0.0
    if action == "SELL" and dice.random() < 0.3:
        return None
    return round(10 ** dice.uniform(-1, 5), 2)


def standing(sample: ParquetSource, market: PeerMarket, outcome: str, at_ms: int) -> PeerBook:
    """Return the latest snapshot at or before `at_ms`: what the desk would have stored."""
    return [book for book in sample.books(market.market_id) if book.side == outcome and book.ts <= at_ms][-1]


def theirs(sample: ParquetSource, case: Case) -> peer.Fill | str:
    result = peer.Backtester(sample, PlaceOnce(case), latency_ms=LATENCY_MS).run([case.market]).markets[0]
    assert len(result.fills) + len(result.rejections) == 1
    return result.fills[0] if result.fills else result.rejections[0].reason


def ours(sample: ParquetSource, case: Case) -> Walk | Rejection:
    book = as_book(standing(sample, case.market, case.outcome, case.submitted_ms + LATENCY_MS))
    amount = None if case.amount is None else exact(case.amount)
    limit = None if case.limit is None else exact(case.limit)
    if case.action == "BUY":
        return execute(book, MatchOrder(side="buy", spend=amount, limit=limit))
    return execute(book, MatchOrder(side="sell", units=amount, limit=limit, held=exact(case.held)))


def as_book(book: PeerBook) -> Book:
    at = datetime.fromtimestamp(book.ts / 1000, tz=UTC)
    return Book(
        quote_id=1,
        outcome_id="out_1",
        bids=as_levels(book.bids),
        asks=as_levels(book.asks),
        vendor_at=at,
        received_at=at,
        digest="",
    )


def as_levels(levels: tuple[PeerLevel, ...]) -> tuple[Level, ...]:
    return tuple(Level(price=exact(level.price), units=exact(level.size)) for level in levels)


def exact(value: float) -> Decimal:
    return Decimal(str(value))


def test_two_hundred_random_orders_end_the_same(sample, cases):
    rate = exact(rate_for("crypto"))
    for case in cases:
        their, our = theirs(sample, case), ours(sample, case)
        if isinstance(their, str):
            assert isinstance(our, Rejection), (str(case), our)
            assert our.reason == their, str(case)
            continue
        assert isinstance(our, Walk), (str(case), our)
        assert float(our.units) == pytest.approx(their.shares, rel=TOLERANCE), str(case)
        assert float(our.average_price) == pytest.approx(their.avg_price, rel=TOLERANCE), str(case)
        assert is_same_fee(our, rate, exact(their.fee)), (str(case), our.fee(rate), their.fee)
        assert our.is_depth_limited is their.depth_limited, str(case)


def is_same_fee(our: Walk, rate: Decimal, their_fee: Decimal) -> bool:
    """Tell whether both fees are the same, or the exact fee lies half-way between them.

    A spend in whole cents often makes an exact tie in the sixth decimal; there the noise of a float decides for the
    peer, and either neighbour is a right rounding.
    """
    unrounded = sum((leg.units * rate * leg.price * (1 - leg.price) for leg in our.legs), Decimal(0))
    is_tie = abs(unrounded - (our.fee(rate) + their_fee) / 2) < TIE_WIDTH
    return our.fee(rate) == their_fee or (is_tie and abs(our.fee(rate) - their_fee) == FEE_STEP)


def test_the_orders_cover_what_can_happen(sample, cases):
    assert len(cases) == ORDERS
    assert len({case.market.market_id for case in cases}) == 18
    endings = Counter(ending_of(theirs(sample, case)) for case in cases)
    assert set(endings) == {"filled", "partly filled", "price_limit", "no_liquidity", "no_position", "invalid_size"}
    assert endings["filled"] >= 40
    assert endings["partly filled"] >= 15
    placed = Counter((case.action, case.limit is None) for case in cases)
    assert min(placed.values()) >= 30
    assert len(placed) == 4


def ending_of(their: peer.Fill | str) -> str:
    if isinstance(their, str):
        return their
    return "partly filled" if their.depth_limited else "filled"


@pytest.mark.parametrize("action", ["BUY", "SELL"])
@pytest.mark.parametrize(
    ("bids", "asks"),
    [((), ()), ((0.01,), (0.99,)), ((0.005,), ()), ((), (0.995,)), ((0.02,), (0.99,)), ((0.01,), (0.98,))],
    ids=str,
)
def test_placeholder_books_are_refused_alike(action, bids, asks):
    book = PeerBook(1, "UP", *(tuple(PeerLevel(price, 100.0) for price in side) for side in (bids, asks)))
    market = PeerMarket("m", "?", "crypto", end_ts=10_000, payout=(1.0, 0.0))
    case = Case(market, "UP", action, 1, 10.0, None, 50.0)
    source = OneBook(market, book)
    their, our = theirs(source, case), ours(source, case)
    assert (our.reason if isinstance(our, Rejection) else "filled") == (their if isinstance(their, str) else "filled")


class OneBook:
    """A source of one market with one snapshot."""

    def __init__(self, market: PeerMarket, book: PeerBook) -> None:
        self.market = market
        self.book = book

    def markets(self) -> list[PeerMarket]:
        return [self.market]

    def books(self, market_id: str) -> list[PeerBook]:
        return [self.book]
