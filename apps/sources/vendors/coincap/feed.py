"""From CoinCap's assets to the desk's tickers."""

from __future__ import annotations

from collections.abc import Sequence

from apps.sources.coins import CoinAnswer, CoinTable
from apps.sources.ports import Caller, Gathered
from apps.sources.types import TickerRecord
from apps.sources.vendors.coincap import client, wire
from apps.sources.vendors.coincap.symbols import IDS

COINS = CoinTable(vendor="coincap", ids=IDS, coins_per_call=client.COINS_PER_CALL)


async def tickers(caller: Caller, symbols: Sequence[str]) -> Gathered[TickerRecord]:
    """Fetch coins in US dollars; those that our table lacks or the vendor leaves out are rejected by name. Raises BadAnswer."""

    async def ask(ids: Sequence[str]) -> CoinAnswer:
        reply = await client.assets(caller, ids)
        answer = wire.read_assets(reply.body)
        return CoinAnswer(rows=answer.coins, read=lambda row: wire.read_coin(row, answer.at), received_at=reply.received_at)

    return await COINS.tickers(symbols, ask)
