"""From Yahoo's chart to instruments and candles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.gathering import gather
from apps.sources.ports import Caller, Chart
from apps.sources.types import CURRENCY_LENGTH, KIND_LENGTH, NAME_LENGTH, CandleRecord, InstrumentRecord
from apps.sources.vendors.yahoo import client, wire
from apps.sources.vendors.yahoo.wire import WireMeta

KINDS = {"INDEX": "index", "FUTURE": "future", "EQUITY": "equity", "ETF": "equity", "CRYPTOCURRENCY": "crypto"}


async def candles(caller: Caller, symbol: str, since: datetime | None) -> Chart:
    """Fetch an instrument with its daily bars, oldest first. Raises BadAnswer."""
    reply = await client.chart(caller, symbol, since)
    chart = wire.read_chart(reply.body)
    if chart.meta.symbol != symbol:
        raise BadAnswer(f"asked for {symbol}, the answer is about {chart.meta.symbol}")
    raw = [bar for bar in chart.bars if wire.has_prices(bar)]
    gathered = gather(raw, lambda bar: as_candle(bar, symbol), key="timestamp")
    bars = _finished(_in_order(gathered.records), chart.meta.session_ends_at)
    return Chart(instrument=as_instrument(chart.meta), bars=replace(gathered, records=bars))


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
    """Turn one raw bar into a candle. Raises BadRow when its prices contradict each other."""
    bar = value if isinstance(value, dict) else {}
    opened, high, low, close = (wire.bar_price(bar, name) for name in ("open", "high", "low", "close"))
    if not low <= min(opened, close) <= max(opened, close) <= high:
        raise BadRow(f"open {opened} and close {close} are not between low {low} and high {high}")
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


def _in_order(bars: Sequence[CandleRecord]) -> tuple[CandleRecord, ...]:
    """Return the bars oldest first; of two with one moment the later in the answer stands."""
    by_moment = {bar.closes_at: bar for bar in bars}
    return tuple(by_moment[moment] for moment in sorted(by_moment))


def _finished(bars: tuple[CandleRecord, ...], session_ends_at: datetime | None) -> tuple[CandleRecord, ...]:
    """Mark the last bar as not final while its session runs; every bar before it can no longer change."""
    if not bars:
        return bars
    last = bars[-1]
    is_final = session_ends_at is not None and session_ends_at <= last.closes_at
    return (*bars[:-1], replace(last, final=is_final))
