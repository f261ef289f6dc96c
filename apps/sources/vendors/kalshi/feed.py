"""From Kalshi's markets and books to the desk's.

A market is a question with the outcomes Yes and No, whose keys are `kalshi:TICKER:yes` and `kalshi:TICKER:no`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from apps.core.errors import DeskError, Transient
from apps.sources.errors import BadRow, NotAtVendor
from apps.sources.gates.books import believed, digest_of
from apps.sources.gathering import gather
from apps.sources.paging import Page, missing, walk
from apps.sources.ports import Caller, Gathered
from apps.sources.types import (
    CATEGORY_LENGTH,
    QUESTION_LENGTH,
    SLUG_LENGTH,
    TITLE_LENGTH,
    BookRecord,
    EventRecord,
    Level,
    MarketRecord,
    OutcomeRecord,
    Rejected,
    ResolutionRecord,
    ResolutionStatus,
)
from apps.sources.vendors.kalshi import client, orderbook, wire
from apps.sources.vendors.kalshi.wire import KalshiMarket

PAGES_MAX = 60  # 6,000 events: all of them, for the list knows no order by trade
MARKETS_MAX = 2_000  # of tens of thousands, the most traded; the long tail has no book worth forecasting
BOOKS_AT_ONCE = 8
ZERO, ONE = Decimal(0), Decimal(1)
SIDES = ("yes", "no")
# The taker's fee is the rate times p (1 - p), as the desk's fee curve has it. A few series (share indices) pay half of
# it, which a market's row does not say: the rate is never too low. Series say `fee_type` quadratic and a multiplier.
FEE_RATE = Decimal("0.07")
SMALLEST_FRACTION = Decimal("0.01")
STATUSES: dict[str, ResolutionStatus] = {
    "determined": "proposed",
    "amended": "proposed",
    "disputed": "disputed",
    "finalized": "final",
}
ENDED = (*STATUSES, "closed")


async def open_markets(caller: Caller) -> Gathered[MarketRecord]:
    """Fetch the open markets, event by event, and return the most traded. Raises BadAnswer when no page is believable."""

    async def ask(cursor: str) -> Page:
        rows, following = wire.read_page((await client.open_events(caller, cursor)).body)
        return gather(rows, as_record, key="ticker"), following

    listed = await walk(ask, pages_max=PAGES_MAX)
    by_volume = sorted(listed.records, key=lambda record: record.volume, reverse=True)
    return replace(listed, records=tuple(by_volume[:MARKETS_MAX]))


async def market_states(caller: Caller, keys: Sequence[str]) -> Gathered[MarketRecord]:
    """Fetch the markets with these tickers, whatever their state. Unknown ones are left out; events stay without a title."""
    gathered: Gathered[MarketRecord] = Gathered()
    for start in range(0, len(keys), client.TICKERS_PER_CALL):
        try:
            reply = await client.markets(caller, keys[start : start + client.TICKERS_PER_CALL])
            part = gather(wire.read_page(reply.body)[0], as_record, key="ticker")
        except Transient as error:
            if start == 0:
                raise
            part = missing(error)
        gathered = gathered.plus(part)
    return gathered


async def books(caller: Caller, outcome_keys: Sequence[str]) -> Gathered[BookRecord]:
    """Fetch the books of these outcomes, some markets at a time; markets without a book are left out.

    One book that cannot be had or believed stops no other. Raises the first error when none at all could be had, and
    asks no further when all questions asked at once fail.
    """
    asked, unknown = _tickers(outcome_keys)
    gathered: Gathered[BookRecord] = Gathered(rejected=unknown)
    for start in range(0, len(asked), BOOKS_AT_ONCE):
        found = await asyncio.gather(*(_book(caller, ticker) for ticker in asked[start : start + BOOKS_AT_ONCE]))
        errors = [part for part in found if isinstance(part, DeskError)]
        if start == 0 and len(errors) == len(found):
            raise errors[0]
        for part in found:
            gathered = gathered.plus(missing(part) if isinstance(part, DeskError) else part)
        if len(errors) == len(found):
            break
    wanted = set(outcome_keys)
    return replace(gathered, records=tuple(book for book in gathered.records if book.outcome_key in wanted))


def _tickers(outcome_keys: Sequence[str]) -> tuple[list[str], tuple[Rejected, ...]]:
    """Return the tickers of the outcomes, each once, and the keys that are none of this vendor's."""
    tickers: dict[str, None] = {}
    unknown: list[Rejected] = []
    for key in outcome_keys:
        vendor, _, rest = key.partition(":")
        ticker, _, side = rest.rpartition(":")
        if vendor == "kalshi" and side in SIDES and wire.TICKER.fullmatch(ticker):
            tickers[ticker] = None
        else:
            unknown.append(Rejected(reason="not a key of this vendor's outcomes", excerpt=key, key=key))
    return list(tickers), tuple(unknown)


async def _book(caller: Caller, ticker: str) -> Gathered[BookRecord] | DeskError:
    """Fetch one market's book as the books of both outcomes; an error is a value, so that it stops no other book."""
    try:
        reply = await client.orderbook(caller, ticker)
        row = {"ticker": ticker, **orderbook.read_orderbook(reply.body)}
    except NotAtVendor:
        return Gathered()
    except DeskError as error:
        return error
    pairs = gather([row], partial(as_books, ticker=ticker, received_at=reply.received_at), key="ticker")
    return Gathered(records=tuple(book for pair in pairs.records for book in pair), rejected=pairs.rejected)


def as_books(value: object, *, ticker: str, received_at: datetime) -> tuple[BookRecord, BookRecord]:
    """Turn one raw book into those of yes and no. Raises BadRow, also for what the gates refuse.

    The vendor does not say of when a book is: it counts as of when it came.
    """
    bids = orderbook.read_bids(value)
    made = partial(_as_book, ticker=ticker, received_at=received_at)
    return made("yes", bids.yes, bids.no), made("no", bids.no, bids.yes)


def _as_book(side: str, bids: Sequence[Level], others: Sequence[Level], *, ticker: str, received_at: datetime) -> BookRecord:
    asks = tuple(Level(ONE - level.price, level.units) for level in others)
    return believed(
        BookRecord(
            outcome_key=outcome_key(ticker, side),
            bids=tuple(bids),
            asks=asks,
            vendor_at=received_at,
            received_at=received_at,
            digest=digest_of(bids, asks),
        )
    )


def outcome_key(ticker: str, side: str) -> str:
    """Return the key of one side of a market, different from all keys of other vendors."""
    return f"kalshi:{ticker}:{side}"


def as_record(value: object) -> MarketRecord:
    """Turn one raw market into the desk's record. Raises BadRow."""
    market = wire.read_market(value)
    category = market.category.lower()[:CATEGORY_LENGTH]
    return MarketRecord(
        key=market.ticker,
        slug=market.ticker.lower()[:SLUG_LENGTH],
        question=question_of(market)[:QUESTION_LENGTH],
        category=category,
        event=EventRecord(key=market.event_ticker, title=market.event_title[:TITLE_LENGTH], category=category),
        outcomes=tuple(OutcomeRecord(key=outcome_key(market.ticker, side), label=side.capitalize()) for side in SIDES),
        opens_at=market.opens_at,
        closes_at=market.closes_at,
        accepts_orders=market.status == "active",
        closed=market.status in ENDED,
        fee_rate=FEE_RATE,
        tick_size=market.tick_size,
        min_units=SMALLEST_FRACTION if market.is_fractional else ONE,
        volume=market.volume,
        resolution=resolution_of(market),
        vendor_at=market.updated_at,
    )


def question_of(market: KalshiMarket) -> str:
    """Return the market's title, with what yes means where the title is the same for all markets of the event."""
    is_said = not market.subtitle or market.subtitle.lower() in market.title.lower()
    return market.title if is_said else f"{market.title} ({market.subtitle})"


def resolution_of(market: KalshiMarket) -> ResolutionRecord | None:
    """Return how the market ended, or None while that is not known. Raises BadRow when result and value contradict."""
    status = STATUSES.get(market.status)
    if status is None or not market.result:
        return None
    if market.result == "void":
        return ResolutionRecord(status="void" if status == "final" else status, payouts=(), resolved_at=market.settled_at)
    paid = _paid(market)
    if paid is None:
        return None
    return ResolutionRecord(status=status, payouts=(paid, ONE - paid), resolved_at=market.settled_at)


def _paid(market: KalshiMarket) -> Decimal | None:
    """Return what a contract of yes pays: 1, 0, or the value of a result between, None while that is not said."""
    value = market.settlement_value
    if market.result == "scalar":
        return value
    paid = ONE if market.result == "yes" else ZERO
    if value is not None and value != paid:
        raise BadRow(f"result is {market.result} and settlement_value is {value}")
    return paid
