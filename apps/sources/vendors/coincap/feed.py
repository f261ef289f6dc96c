"""From CoinCap's assets to the desk's tickers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadRow
from apps.sources.gathering import gather, key_of
from apps.sources.ports import Caller, Gathered
from apps.sources.types import NAME_LENGTH, Rejected, TickerRecord
from apps.sources.vendors.coincap import client, wire
from apps.sources.vendors.coincap.symbols import IDS


async def tickers(caller: Caller, symbols: Sequence[str]) -> Gathered[TickerRecord]:
    """Fetch coins in US dollars; those that our table lacks or the vendor leaves out are rejected by name. Raises BadAnswer."""
    by_id = {IDS[symbol]: symbol for symbol in symbols if symbol in IDS}
    found: Gathered[TickerRecord] = Gathered(rejected=tuple(_unknown(symbol) for symbol in symbols if symbol not in IDS))
    ids = list(by_id)
    for start in range(0, len(ids), client.COINS_PER_CALL):
        asked = ids[start : start + client.COINS_PER_CALL]
        found = found.plus(await _asked(caller, asked, by_id))
    return found


async def _asked(caller: Caller, asked: Sequence[str], by_id: Mapping[str, str]) -> Gathered[TickerRecord]:
    reply = await client.assets(caller, asked)
    answer = wire.read_assets(reply.body)
    there = {key_of(row, "id") for row in answer.coins}
    missing = tuple(_unknown(by_id[coin]) for coin in asked if coin not in there)
    found = gather(answer.coins, lambda row: as_ticker(row, by_id, answer.at, reply.received_at), key="id")
    return found.plus(Gathered(rejected=missing))


def as_ticker(value: object, by_id: Mapping[str, str], at: datetime | None, received_at: datetime) -> TickerRecord:
    """Turn one raw coin into the desk's record. Raises BadRow."""
    coin = wire.read_coin(value)
    if coin.id not in by_id:
        raise BadRow("id is not one that was asked for")
    return TickerRecord(
        symbol=by_id[coin.id],
        name=coin.name[:NAME_LENGTH],
        price=coin.price,
        currency="USD",
        change=None if coin.change is None else coin.change / Decimal(100),
        volume=coin.volume,
        market_cap=coin.market_cap,
        vendor_at=at,
        received_at=received_at,
    )


def _unknown(symbol: str) -> Rejected:
    return Rejected(reason=f"coincap has no coin {symbol[:30]}", excerpt=symbol, key=symbol)
