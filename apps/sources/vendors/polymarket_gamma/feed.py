"""From Gamma's markets to the desk's."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from apps.sources.gathering import gather
from apps.sources.paging import Page, walk
from apps.sources.ports import Caller, Gathered, Reply
from apps.sources.types import (
    CATEGORY_LENGTH,
    LABEL_LENGTH,
    QUESTION_LENGTH,
    SLUG_LENGTH,
    TITLE_LENGTH,
    EventRecord,
    MarketRecord,
    OutcomeRecord,
    ResolutionRecord,
    ResolutionStatus,
)
from apps.sources.vendors.polymarket_gamma import client, wire
from apps.sources.vendors.polymarket_gamma.wire import GammaMarket

PAGES_MAX = 50  # the 5,000 most traded markets; the long tail has no book worth forecasting
HALF, ONE = Decimal("0.5"), Decimal(1)
STATUSES: dict[str, ResolutionStatus] = {"proposed": "proposed", "disputed": "disputed", "resolved": "final"}


async def open_markets(caller: Caller) -> Gathered[MarketRecord]:
    """Fetch all open markets, page by page, the most traded first. Raises BadAnswer when not one page is believable."""

    async def ask(cursor: str) -> Page:
        return _read(await client.page(caller, closed=False, cursor=cursor))

    return await walk(ask, pages_max=PAGES_MAX)


async def market_states(caller: Caller, keys: Sequence[str]) -> Gathered[MarketRecord]:
    """Fetch the markets with these condition ids, whether closed or open. Unknown keys are left out."""
    gathered: Gathered[MarketRecord] = Gathered()
    for start in range(0, len(keys), client.KEYS_PER_PAGE):
        gathered = gathered.plus(await _some_states(caller, keys[start : start + client.KEYS_PER_PAGE]))
    return gathered


async def _some_states(caller: Caller, keys: Sequence[str]) -> Gathered[MarketRecord]:
    """Ask twice, since one question is answered with open or with closed markets, never with both."""
    still_open, _ = _read(await client.page(caller, closed=False, keys=keys))
    seen = {record.key for record in still_open.records}
    missing = [key for key in keys if key not in seen]
    if not missing:
        return still_open
    closed, _ = _read(await client.page(caller, closed=True, keys=missing))
    return still_open.plus(closed)


def _read(reply: Reply) -> Page:
    rows, cursor = wire.read_page(reply.body)
    return gather(rows, as_record, key="conditionId"), cursor


def as_record(value: object) -> MarketRecord:
    """Turn one raw market into the desk's record. Raises BadRow."""
    market = wire.read_market(value)
    pairs = zip(market.token_ids, market.outcomes, strict=True)
    return MarketRecord(
        key=market.condition_id,
        slug=market.slug[:SLUG_LENGTH],
        question=market.question[:QUESTION_LENGTH],
        category=category_of(market),
        event=_event_of(market),
        outcomes=tuple(OutcomeRecord(key=key, label=label[:LABEL_LENGTH]) for key, label in pairs),
        opens_at=market.start,
        closes_at=market.end,
        accepts_orders=market.is_trading,
        closed=market.closed,
        fee_rate=market.fee_rate,
        tick_size=market.tick_size,
        min_units=market.min_size,
        volume=market.volume,
        resolution=resolution_of(market),
        vendor_at=market.updated_at,
    )


def category_of(market: GammaMarket) -> str:
    """Return the market's category in lower case: its own, its event's, or what its fee plan is named after."""
    named = market.category or (market.event.category if market.event else "")
    return (named or market.fee_type.partition("_")[0] or "other").lower()[:CATEGORY_LENGTH]


def _event_of(market: GammaMarket) -> EventRecord:
    """Return the market's event; a market that names none is an event of its own."""
    event = market.event
    return EventRecord(
        key=event.id if event else market.condition_id,
        title=((event.title if event else "") or market.question)[:TITLE_LENGTH],
        category=category_of(market),
        starts_at=market.event_start or (event.start if event else market.start),
        closes_at=event.end if event and event.end else market.end,
    )


def resolution_of(market: GammaMarket) -> ResolutionRecord | None:
    """Return how the market ended, or None while that is not known.

    Strict: a final result needs a closed market, the status "resolved", and prices that are payouts (one outcome 1 and
    the others 0, or two halves). Prices near an end are not an end.
    """
    status = STATUSES.get(market.uma_status)
    if status is None or not is_payout(market.prices) or (status == "final" and not market.closed):
        return None
    return ResolutionRecord(status=status, payouts=market.prices, resolved_at=market.closed_at)


def is_payout(prices: Sequence[Decimal]) -> bool:
    """Return whether prices are payouts: one winner that takes all, or two outcomes at a half each."""
    has_winner = sorted(prices, reverse=True)[:1] == [ONE] and sum(prices) == ONE
    return has_winner or list(prices) == [HALF, HALF]
