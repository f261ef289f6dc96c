"""From Finnhub's quotes to the desk's tickers."""

from __future__ import annotations

from collections.abc import Sequence

from apps.sources.piecewise import one_by_one
from apps.sources.ports import Caller, Gathered
from apps.sources.types import Rejected, TickerRecord
from apps.sources.vendors.finnhub import client, wire

CURRENCY = "USD"  # quotes name none; a free key is for shares of the United States, which trade in dollars


async def tickers(caller: Caller, symbols: Sequence[str]) -> Gathered[TickerRecord]:
    """Fetch the prices of shares, the first alone and then all others at once; unknown ones are rejected by name."""
    asked = [symbol for symbol in symbols if theirs(symbol)]
    nameless = tuple(
        Rejected(reason=f"finnhub has no price of {symbol[:30]}", excerpt=symbol, key=symbol)
        for symbol in symbols
        if not theirs(symbol)
    )

    async def ask(symbol: str) -> Gathered[TickerRecord]:
        reply = await client.quote(caller, theirs(symbol))
        quote = wire.read_quote(reply.body)
        ticker = TickerRecord(
            symbol=symbol,
            name=symbol,
            price=quote.price,
            currency=CURRENCY,
            change=quote.price / quote.last_close - 1 if quote.last_close else None,
            volume=None,
            market_cap=None,
            vendor_at=quote.at,
            received_at=reply.received_at,
        )
        return Gathered(records=(ticker,))

    return (await one_by_one(asked, ask)).plus(Gathered(rejected=nameless))


def theirs(symbol: str) -> str:
    """Return Finnhub's symbol of a share: classes come after a point. Nothing for indices and futures, which it keeps back."""
    return "" if symbol.startswith("^") or "=" in symbol else symbol.replace("-", ".")
