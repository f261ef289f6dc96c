"""From Alpha Vantage's quotes and bars to the desk's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from apps.sources.errors import BadAnswer, BadRow, NotAtVendor
from apps.sources.gates import bars as gate
from apps.sources.gathering import gather
from apps.sources.piecewise import one_by_one
from apps.sources.ports import Caller, Chart, Gathered
from apps.sources.types import CandleRecord, InstrumentRecord, Rejected, TickerRecord
from apps.sources.vendors.alphavantage import client, wire

CURRENCY = "USD"
ASKED_MAX = 5  # a minute's quota of a free key, and a fifth of its day's


async def tickers(caller: Caller, symbols: Sequence[str]) -> Gathered[TickerRecord]:
    """Fetch the prices of the first few shares; the rest leaves the answer incomplete, unknown ones are rejected by name."""
    known = [symbol for symbol in symbols if is_share(symbol)]
    nameless = tuple(_unknown(symbol) for symbol in symbols if not is_share(symbol))

    async def ask(symbol: str) -> Gathered[TickerRecord]:
        reply = await client.quote(caller, symbol)
        quote = wire.read_quote(reply.body)
        if quote.symbol != symbol:
            raise BadAnswer(f"asked for {symbol}, the answer is about {quote.symbol}")
        return Gathered(records=(as_ticker(quote, reply.received_at),))

    found = await one_by_one(known[:ASKED_MAX], ask)
    return found.plus(Gathered(rejected=nameless, complete=len(known) <= ASKED_MAX))


async def candles(caller: Caller, symbol: str, since: datetime | None) -> Chart:
    """Fetch a share with its last hundred daily bars, oldest first. Raises BadAnswer, NotAtVendor, QuotaSpent."""
    if not is_share(symbol):
        raise NotAtVendor(f"alphavantage has no bars of {symbol}")
    reply = await client.daily(caller, symbol)
    found = gather(wire.read_daily(reply.body), lambda pair: as_candle(pair, symbol, reply.received_at), key="")
    judged = gate.judge(found.records, now=reply.received_at)
    kept = tuple(bar for bar in judged.bars if since is None or bar.closes_at >= since)
    instrument = InstrumentRecord(symbol=symbol, name=symbol, kind="equity", currency=CURRENCY, note="Alpha Vantage")
    return Chart(
        instrument=instrument, bars=Gathered(records=kept, rejected=found.rejected + judged.rejected), flags=judged.flags
    )


def as_ticker(quote: wire.WireQuote, received_at: datetime) -> TickerRecord:
    """Turn a quote into the desk's record; of a day that still runs the vendor does not say when within it."""
    return TickerRecord(
        symbol=quote.symbol,
        name=quote.symbol,
        price=quote.price,
        currency=CURRENCY,
        change=quote.price / quote.last_close - 1 if quote.last_close else None,
        volume=quote.volume * quote.price,
        market_cap=None,
        vendor_at=min(quote.day_ends_at, received_at),
        received_at=received_at,
    )


def as_candle(pair: object, symbol: str, received_at: datetime) -> CandleRecord:
    """Turn a raw bar with its day into a candle. Raises BadRow."""
    if not isinstance(pair, tuple):
        raise BadRow("the bar has no day")
    bar = wire.read_bar(*pair)
    return CandleRecord(
        symbol=symbol,
        closes_at=bar.ends_at,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        final=bar.ends_at <= received_at,
    )


def is_share(symbol: str) -> bool:
    """Return whether the vendor could know the symbol: it has neither indices nor futures."""
    return not symbol.startswith("^") and "=" not in symbol


def _unknown(symbol: str) -> Rejected:
    return Rejected(reason=f"alphavantage has no price of {symbol[:30]}", excerpt=symbol, key=symbol)
