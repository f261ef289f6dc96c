"""From Yahoo's chart to instruments, candles and prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from apps.sources.errors import BadAnswer
from apps.sources.gates import bars as gate
from apps.sources.gathering import gather
from apps.sources.piecewise import one_by_one
from apps.sources.ports import Caller, Chart, Gathered, Reply
from apps.sources.types import CURRENCY_LENGTH, KIND_LENGTH, NAME_LENGTH, CandleRecord, InstrumentRecord, TickerRecord
from apps.sources.vendors.yahoo import client, wire
from apps.sources.vendors.yahoo.wire import WireChart, WireMeta

KINDS = {"INDEX": "index", "FUTURE": "future", "EQUITY": "equity", "ETF": "equity", "CRYPTOCURRENCY": "crypto"}


async def candles(caller: Caller, symbol: str, since: datetime | None) -> Chart:
    """Fetch an instrument with its daily bars, oldest first. Raises BadAnswer."""
    reply = await client.chart(caller, symbol, since)
    chart = _about(symbol, reply)
    raw = [bar for bar in chart.bars if wire.has_prices(bar)]
    gathered = gather(raw, lambda bar: as_candle(bar, symbol), key="timestamp")
    judged = gate.judge(gathered.records, now=reply.received_at)
    bars = _finished(judged.bars, chart.meta.session_ends_at)
    found = replace(gathered, records=bars, rejected=gathered.rejected + judged.rejected)
    return Chart(instrument=as_instrument(chart.meta), bars=found, flags=judged.flags)


async def tickers(caller: Caller, symbols: Sequence[str]) -> Gathered[TickerRecord]:
    """Fetch prices, the first alone and then all others at once; symbols that the vendor does not know are rejected by name."""

    async def ask(symbol: str) -> Gathered[TickerRecord]:
        reply = await client.today(caller, symbol)
        return Gathered(records=(as_ticker(_about(symbol, reply).meta, reply.received_at),))

    return await one_by_one(symbols, ask)


def as_ticker(meta: WireMeta, received_at: datetime) -> TickerRecord:
    """Turn the answer's description into a price. Raises BadAnswer when it has none."""
    if meta.price is None:
        raise BadAnswer(f"the chart of {meta.symbol} has no price", excerpt=meta.symbol)
    return TickerRecord(
        symbol=meta.symbol,
        name=meta.name[:NAME_LENGTH],
        price=meta.price,
        currency=meta.currency[:CURRENCY_LENGTH],
        change=meta.price / meta.last_close - 1 if meta.last_close else None,
        volume=None if meta.volume is None else meta.volume * meta.price,
        market_cap=None,
        vendor_at=meta.traded_at,
        received_at=received_at,
    )


def _about(symbol: str, reply: Reply) -> WireChart:
    chart = wire.read_chart(reply.body)
    if chart.meta.symbol != symbol:
        raise BadAnswer(f"asked for {symbol}, the answer is about {chart.meta.symbol}")
    return chart


def as_instrument(meta: WireMeta) -> InstrumentRecord:
    """Turn the answer's description into the desk's instrument."""
    return InstrumentRecord(
        symbol=meta.symbol,
        name=meta.name[:NAME_LENGTH],
        kind=KINDS.get(meta.instrument_type, meta.instrument_type.lower())[:KIND_LENGTH],
        currency=meta.currency[:CURRENCY_LENGTH],
        note=meta.exchange,
    )


def as_candle(value: object, symbol: str) -> CandleRecord:
    """Turn one raw bar into a candle. Raises BadRow."""
    bar = value if isinstance(value, dict) else {}
    opened, high, low, close = (wire.bar_price(bar, name) for name in ("open", "high", "low", "close"))
    return CandleRecord(
        symbol=symbol,
        closes_at=wire.bar_moment(bar),
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=wire.bar_volume(bar),
        final=True,
    )


def _finished(bars: tuple[CandleRecord, ...], session_ends_at: datetime | None) -> tuple[CandleRecord, ...]:
    """Mark the last bar as not final while its session runs; every bar before it can no longer change."""
    if not bars:
        return bars
    last = bars[-1]
    is_final = session_ends_at is not None and session_ends_at <= last.closes_at
    return (*bars[:-1], replace(last, final=is_final))
