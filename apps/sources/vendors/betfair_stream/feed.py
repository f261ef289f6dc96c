"""From recordings of Betfair's stream to the desk's markets and books."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.sources.errors import BadAnswer, BadRow, NotAtVendor
from apps.sources.gathering import gather, lost
from apps.sources.ports import Caller, Gathered
from apps.sources.types import BookRecord, MarketRecord, Rejected
from apps.sources.vendors.betfair_stream import client, markets, pricing
from apps.sources.vendors.betfair_stream.stream import Market, Stream, replay

FILES_MAX = 200  # the newest ones; a folder of years is for a bulk load, not for a look every few minutes
OUTCOME_KEY = re.compile(r"(1\.\d{6,12}):(\d{1,20})(:no)?", re.ASCII)
MARKET_KEY = re.compile(r"(1\.\d{6,12})(?::\d{1,20})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Replayed:
    """One recording after its last line, and when it was read."""

    stream: Stream
    read_at: datetime


async def open_markets(caller: Caller) -> Gathered[MarketRecord]:
    """Read the newest recordings and return the markets in them that have not been closed."""
    files = await client.names(caller)
    chosen = list(files.values())[-FILES_MAX:]
    gathered = await _markets(caller, chosen, wanted=None)
    still_open = tuple(record for record in gathered.records if not record.closed)
    return Gathered(records=still_open, rejected=gathered.rejected, complete=gathered.complete)


async def market_states(caller: Caller, keys: Sequence[str]) -> Gathered[MarketRecord]:
    """Read the markets with these keys, closed ones too. Keys without a recording are left out."""
    found = [MARKET_KEY.fullmatch(key) for key in keys]
    ids = {match[1] for match in found if match}
    files = await client.names(caller) if ids else {}
    return await _markets(caller, [name for market, name in files.items() if market in ids], wanted=frozenset(keys))


async def books(caller: Caller, keys: Sequence[str]) -> Gathered[BookRecord]:
    """Return the books of these outcomes as they are at the end of the recordings, of markets that are open only."""
    matches = [match for match in map(OUTCOME_KEY.fullmatch, keys) if match]
    ids = {match[1] for match in matches}
    files = await client.names(caller) if ids else {}
    gathered: Gathered[BookRecord] = Gathered()
    for name in (name for market, name in files.items() if market in ids):
        replayed, part = await _replayed(caller, name)
        if replayed is not None:
            found = [_book(match, replayed) for match in matches]
            gathered = gathered.plus(Gathered(records=tuple(book for book in found if book is not None)))
        gathered = gathered.plus(Gathered(rejected=part.rejected, complete=part.complete))
    return gathered


def _book(match: re.Match[str], replayed: Replayed) -> BookRecord | None:
    market = replayed.stream.markets.get(match[1])
    if market is None:
        return None
    return pricing.book_of(market, int(match[2]), key=match[0], is_against=bool(match[3]), received_at=replayed.read_at)


async def _markets(caller: Caller, names: Sequence[str], *, wanted: frozenset[str] | None) -> Gathered[MarketRecord]:
    gathered: Gathered[MarketRecord] = Gathered()
    for name in names:
        replayed, part = await _replayed(caller, name)
        gathered = gathered.plus(part)
        if replayed is not None:
            gathered = gathered.plus(_records(replayed.stream, wanted))
    return gathered


async def _replayed(caller: Caller, name: str) -> tuple[Replayed | None, Gathered[MarketRecord]]:
    """Read one recording; one that cannot be had or unpacked leaves the answer incomplete and the others alone."""
    try:
        reply, body = await client.recording(caller, name)
    except (BadAnswer, NotAtVendor) as error:
        return None, lost(error if isinstance(error, BadAnswer) else BadAnswer(str(error)))
    stream = await asyncio.to_thread(replay, body, name)
    rejected = tuple(stream.rejected)
    if not stream.markets:
        rejected += (Rejected(reason="the recording holds no market", excerpt=name, key=name[-200:]),)
    return Replayed(stream, reply.received_at), Gathered(rejected=rejected)


def _records(stream: Stream, wanted: frozenset[str] | None) -> Gathered[MarketRecord]:
    rows = [{"id": market_id} for market_id in stream.markets]
    read = gather(rows, lambda row: _of_market(stream.markets[row["id"]] if isinstance(row, dict) else None), key="id")
    records = tuple(record for group in read.records for record in group if wanted is None or record.key in wanted)
    return Gathered(records=records, rejected=read.rejected)


def _of_market(market: Market | None) -> tuple[MarketRecord, ...]:
    if market is None or market.definition is None or market.first is None:
        raise BadRow("no definition of the market was recorded")
    return markets.records_of(market, market.first, market.definition)
