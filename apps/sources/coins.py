"""What the vendors of coin prices share: symbols asked for by the vendor's own ids, and coins turned into tickers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.sources.errors import BadRow
from apps.sources.gathering import gather, key_of
from apps.sources.ports import Gathered
from apps.sources.types import NAME_LENGTH, Rejected, TickerRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """One coin in US dollars; `change` in percent of a day ago, `at` the moment it is of where the vendor says so."""

    id: str
    name: str
    price: Decimal
    change: Decimal | None
    volume: Decimal | None
    market_cap: Decimal | None
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinAnswer:
    """The raw coins of one answer and how to read one (`read` raises BadRow)."""

    rows: Sequence[object]
    read: Callable[[object], Coin]
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinTable:
    """The desk's symbols as the ids of one vendor, and how many it takes in one call."""

    vendor: str
    ids: Mapping[str, str]
    coins_per_call: int

    async def tickers(
        self, symbols: Sequence[str], ask: Callable[[Sequence[str]], Awaitable[CoinAnswer]]
    ) -> Gathered[TickerRecord]:
        """Ask for coins by their ids; those that the table lacks or the vendor leaves out are rejected by name."""
        by_id = {self.ids[symbol]: symbol for symbol in symbols if symbol in self.ids}
        found: Gathered[TickerRecord] = Gathered(
            rejected=tuple(self._unknown(symbol) for symbol in symbols if symbol not in self.ids)
        )
        ids = list(by_id)
        for start in range(0, len(ids), self.coins_per_call):
            asked = ids[start : start + self.coins_per_call]
            found = found.plus(self._gathered(await ask(asked), asked, by_id))
        return found

    def _gathered(self, answer: CoinAnswer, asked: Sequence[str], by_id: Mapping[str, str]) -> Gathered[TickerRecord]:
        there = {key_of(row, "id") for row in answer.rows}
        missing = tuple(self._unknown(by_id[coin]) for coin in asked if coin not in there)
        found = gather(answer.rows, lambda row: as_ticker(answer.read(row), by_id, answer.received_at), key="id")
        return found.plus(Gathered(rejected=missing))

    def _unknown(self, symbol: str) -> Rejected:
        return Rejected(reason=f"{self.vendor} has no coin {symbol[:30]}", excerpt=symbol, key=symbol)


def as_ticker(coin: Coin, by_id: Mapping[str, str], received_at: datetime) -> TickerRecord:
    """Turn a coin into the desk's record. Raises BadRow when nobody asked for it."""
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
        vendor_at=coin.at,
        received_at=received_at,
    )
