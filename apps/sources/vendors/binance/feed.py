"""From Binance's bars and tickers to the desk's. A coin is traded against USDT here: that is the price's currency."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from apps.sources.errors import BadRow, NotAtVendor, VendorRefused
from apps.sources.gates import bars as gate
from apps.sources.gathering import gather, key_of
from apps.sources.ports import Caller, Chart, Gathered
from apps.sources.types import CandleRecord, InstrumentRecord, Rejected, TickerRecord
from apps.sources.vendors.binance import client, wire

CURRENCY = "USDT"
SYMBOL = re.compile(r"[A-Z0-9]{1,12}")
UNKNOWN_PAIR = "-1121"
PAGES_MAX = 6  # sixteen years of daily bars; the exchange is younger


async def tickers(caller: Caller, symbols: Sequence[str]) -> Gathered[TickerRecord]:
    """Fetch the 24-hour figures of coins; those without a pair are rejected by name. Raises BadAnswer when none is believable."""
    pairs = {pair: symbol for symbol in symbols if (pair := pair_of(symbol))}
    gathered: Gathered[TickerRecord] = Gathered(rejected=_nameless(symbols))
    asked = list(pairs)
    for start in range(0, len(asked), client.PAIRS_PER_CALL):
        some = asked[start : start + client.PAIRS_PER_CALL]
        try:
            reply = await client.tickers(caller, some)
        except VendorRefused as error:
            if UNKNOWN_PAIR not in str(error):
                raise
            return await _from_all(caller, pairs, _nameless(symbols))
        gathered = gathered.plus(_found(wire.read_tickers(reply.body), some, pairs, reply.received_at))
    return gathered


async def candles(caller: Caller, symbol: str, since: datetime | None) -> Chart:
    """Fetch a coin with its daily bars, oldest first. Raises BadAnswer, and NotAtVendor for a coin without a pair."""
    pair = pair_of(symbol)
    if not pair:
        raise NotAtVendor(f"binance does not know {symbol}")
    found: Gathered[CandleRecord] = Gathered()
    for _ in range(PAGES_MAX):
        reply = await client.klines(caller, pair, since)
        rows = wire.read_klines(reply.body)
        page = gather(rows, partial(as_candle, symbol=symbol, received_at=reply.received_at), key="")
        found = found.plus(page)
        if since is None or len(rows) < client.BARS_PER_CALL or not page.records:
            break
        since = page.records[-1].closes_at
    judged = gate.judge(found.records, now=reply.received_at)
    instrument = InstrumentRecord(symbol=symbol, name=symbol, kind="crypto", currency=CURRENCY, note="Binance spot")
    bars = Gathered(records=judged.bars, rejected=found.rejected + judged.rejected, complete=found.complete)
    return Chart(instrument=instrument, bars=bars, flags=judged.flags)


def pair_of(symbol: str) -> str:
    """Return the pair that a coin is traded as, or nothing when its symbol cannot be one."""
    return f"{symbol}{CURRENCY}" if SYMBOL.fullmatch(symbol) and symbol != CURRENCY else ""


def as_ticker(value: object, pairs: Mapping[str, str], received_at: datetime) -> TickerRecord:
    """Turn one raw ticker into the desk's record. Raises BadRow."""
    ticker = wire.read_ticker(value)
    symbol = pairs.get(ticker.pair)
    if symbol is None:
        raise BadRow("symbol is not one that was asked for")
    return TickerRecord(
        symbol=symbol,
        name=symbol,
        price=ticker.price,
        currency=CURRENCY,
        change=ticker.change / 100,
        volume=ticker.volume,
        market_cap=None,
        vendor_at=ticker.at,
        received_at=received_at,
    )


def as_candle(value: object, *, symbol: str, received_at: datetime) -> CandleRecord:
    """Turn one raw bar into a candle; a bar that still runs is not final. Raises BadRow."""
    bar = wire.read_kline(value)
    closes_at = bar.ends_at + timedelta(milliseconds=1)
    return CandleRecord(
        symbol=symbol,
        closes_at=closes_at,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        final=closes_at <= received_at,
    )


async def _from_all(caller: Caller, pairs: Mapping[str, str], nameless: tuple[Rejected, ...]) -> Gathered[TickerRecord]:
    """Pick the pairs out of the list of all, so that one that is unknown costs only itself."""
    reply = await client.all_tickers(caller)
    rows = [row for row in wire.read_tickers(reply.body) if key_of(row, "symbol") in pairs]
    named: Gathered[TickerRecord] = Gathered(rejected=nameless)
    return named.plus(_found(rows, pairs, pairs, reply.received_at))


def _found(
    rows: Sequence[object], asked: Iterable[str], pairs: Mapping[str, str], received_at: datetime
) -> Gathered[TickerRecord]:
    """Read the tickers and name those that were asked for and left out."""
    there = {key_of(row, "symbol") for row in rows}
    missing = tuple(_unknown(pairs[pair]) for pair in asked if pair not in there)
    found = gather(rows, lambda row: as_ticker(row, pairs, received_at), key="symbol")
    return found.plus(Gathered(rejected=missing))


def _nameless(symbols: Sequence[str]) -> tuple[Rejected, ...]:
    return tuple(_unknown(symbol) for symbol in symbols if not pair_of(symbol))


def _unknown(symbol: str) -> Rejected:
    return Rejected(reason=f"binance has no pair {symbol[:30]}/{CURRENCY}", excerpt=symbol, key=symbol)
