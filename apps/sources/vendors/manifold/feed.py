"""From Manifold's markets and bets to the desk's.

A market is a question with the outcomes Yes and No, whose keys are `manifold:ID:yes` and `manifold:ID:no`. Its volume is
in mana, and it takes no orders of ours; its category says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from apps.core.errors import Transient
from apps.sources.errors import BadAnswer, BadRow, NotAtVendor
from apps.sources.gathering import gather
from apps.sources.paging import Page, missing, walk
from apps.sources.ports import Caller, Gathered
from apps.sources.types import (
    QUESTION_LENGTH,
    SLUG_LENGTH,
    TITLE_LENGTH,
    EventRecord,
    MarketRecord,
    OutcomeRecord,
    PricePoint,
    ResolutionRecord,
)
from apps.sources.vendors.manifold import client, wire
from apps.sources.vendors.manifold.wire import ManifoldMarket

PAGES_MAX = 2  # the 2,000 most traded questions
STATES_MAX = 100  # one call each: those left over have their turn the next time
CATEGORIES = {"MANA": "play money", "CASH": "prize cash"}
ZERO, ONE, CENT = Decimal(0), Decimal(1), Decimal("0.01")
SIDES = ("yes", "no")


async def open_markets(caller: Caller) -> Gathered[MarketRecord]:
    """Fetch the open questions, page by page, the most traded first. Raises BadAnswer when not one page is believable."""

    async def ask(cursor: str) -> Page:
        offset = int(cursor or "0")
        reply = await client.open_markets(caller, offset)
        rows = wire.read_list(reply.body)
        # Not the size that was asked for: a list that is cut shorter in silence goes on behind its last row.
        following = str(offset + len(rows)) if rows else ""
        return gather(rows, partial(as_record, received_at=reply.received_at), key="id"), following

    return await walk(ask, pages_max=PAGES_MAX)


async def market_states(caller: Caller, keys: Sequence[str]) -> Gathered[MarketRecord]:
    """Fetch the markets with these ids, whatever their state, at most STATES_MAX of them. Unknown ones are left out."""
    gathered: Gathered[MarketRecord] = Gathered()
    for number, key in enumerate(keys[:STATES_MAX]):
        try:
            gathered = gathered.plus(await _state(caller, key))
        except Transient as error:
            if number == 0:
                raise
            gathered = gathered.plus(missing(error))
            if not isinstance(error, BadAnswer):
                break
    return gathered


async def _state(caller: Caller, key: str) -> Gathered[MarketRecord]:
    try:
        reply = await client.market(caller, key)
    except NotAtVendor:
        return Gathered()
    return gather([wire.read_one(reply.body)], partial(as_record, received_at=reply.received_at), key="id")


async def price_history(caller: Caller, outcome_key: str) -> Gathered[PricePoint]:
    """Fetch what the newest bets moved an outcome's probability to, oldest first. Raises NotAtVendor, BadAnswer."""
    market_id, side = _parts(outcome_key)
    rows = wire.read_list((await client.bets(caller, market_id)).body)
    read = partial(as_point, market_id=market_id, side=side)
    points = gather(rows, read, key="id")
    # Bets come newest first; of several in one millisecond the newest left the price that stood.
    newest = {point.at: point for point in reversed(points.records)}
    return replace(points, records=tuple(newest[moment] for moment in sorted(newest)))


def _parts(outcome_key: str) -> tuple[str, str]:
    vendor, _, rest = outcome_key.partition(":")
    market_id, _, side = rest.rpartition(":")
    if vendor != "manifold" or side not in SIDES or not wire.MARKET_ID.fullmatch(market_id):
        raise NotAtVendor(f"{outcome_key} is not the key of an outcome of manifold")
    return market_id, side


def as_point(value: object, *, market_id: str, side: str) -> PricePoint:
    """Turn one raw bet into a point of an outcome's price. Raises BadRow."""
    bet = wire.read_bet(value)
    if bet.market_id != market_id:
        raise BadRow("contractId is not the one that was asked for")
    price = bet.probability if side == "yes" else ONE - bet.probability
    return PricePoint(outcome_key=outcome_key(market_id, side), at=bet.at, price=price)


def outcome_key(market_id: str, side: str) -> str:
    """Return the key of one side of a question, different from all keys of other vendors."""
    return f"manifold:{market_id}:{side}"


def as_record(value: object, *, received_at: datetime) -> MarketRecord:
    """Turn one raw market into the desk's record. Raises BadRow."""
    market = wire.read_market(value)
    category = CATEGORIES.get(market.token, market.token.lower())
    return MarketRecord(
        key=market.id,
        slug=market.slug[:SLUG_LENGTH],
        question=market.question[:QUESTION_LENGTH],
        category=category,
        event=EventRecord(key=market.id, title=market.question[:TITLE_LENGTH], category=category, closes_at=market.closes_at),
        outcomes=tuple(OutcomeRecord(key=outcome_key(market.id, side), label=side.capitalize()) for side in SIDES),
        opens_at=market.opens_at,
        closes_at=market.closes_at,
        accepts_orders=False,
        closed=market.is_resolved or market.closes_at <= received_at,
        fee_rate=ZERO,
        tick_size=CENT,
        min_units=ONE,
        volume=market.volume,
        resolution=resolution_of(market),
        vendor_at=market.updated_at,
    )


def resolution_of(market: ManifoldMarket) -> ResolutionRecord | None:
    """Return how the market ended, or None while it has not: its maker decides once and there is no dispute to wait for."""
    if not market.is_resolved:
        return None
    if market.resolution == "CANCEL":
        return ResolutionRecord(status="void", payouts=(), resolved_at=market.resolved_at)
    paid = {"YES": ONE, "NO": ZERO}.get(market.resolution, market.share)
    if paid is None:
        raise BadRow("resolution is MKT and resolutionProbability is missing")
    return ResolutionRecord(status="final", payouts=(paid, ONE - paid), resolved_at=market.resolved_at)
