"""True-to-form answers of the windows of coins and shares, for tests to bend."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from apps.sources.vendors.coincap.symbols import IDS as COINCAP_IDS
from apps.sources.vendors.coingecko.symbols import IDS as COINGECKO_IDS

COINGECKO_429 = {
    "status": {
        "error_code": 429,
        "error_message": "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing to subscribe.",
    }
}
BINANCE_1003 = {"code": -1003, "msg": "Too much request weight used; current limit is 1200 request weight per 1 MINUTE."}
BINANCE_1121 = {"code": -1121, "msg": "Invalid symbol."}
MINUTE_NOTE = {"Note": "Thank you! Our standard API call frequency is 5 calls per minute and 500 calls per day."}
DAY_NOTE = {"Information": "Thank you! Our standard API rate limit is 25 requests per day. Please subscribe."}


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def binance_ticker(
    coin: str = "BTC", price: str = "50000.00000000", *, at: datetime | None = None, **changes: Any
) -> dict[str, Any]:
    """Return 24-hour figures of a pair with USDT."""
    ticker = {
        "symbol": f"{coin}USDT",
        "priceChange": "-94.99999800",
        "priceChangePercent": "-2.500",
        "weightedAvgPrice": "0.29628482",
        "prevClosePrice": "0.10002000",
        "lastPrice": price,
        "lastQty": "200.00000000",
        "bidPrice": price,
        "askPrice": price,
        "openPrice": "99.00000000",
        "highPrice": "100.00000000",
        "lowPrice": "0.10000000",
        "volume": "8913.30000000",
        "quoteVolume": "1500000.50000000",
        "openTime": 1_499_783_499_040,
        "closeTime": milliseconds(at or datetime.now(tz=UTC)),
        "firstId": 28_385,
        "lastId": 28_460,
        "count": 76,
    }
    return {**ticker, **changes}


def kline(ends_at: datetime, close: str = "10.5", **changes: Any) -> list[Any]:
    """Return one daily bar; `ends_at` is its first moment that is not its own."""
    places = {"open": "10", "high": "11", "low": "9.5", "volume": "1000", **changes}
    end_ms = milliseconds(ends_at) - 1
    head = [end_ms - 86_399_999, places["open"], places["high"], places["low"], close, places["volume"], end_ms]
    return [*head, "2434.19", 308, "1756.87", "28.46", "0"]


def coingecko_coin(
    coin_symbol: str = "BTC", price: float = 50_000.0, *, at: datetime | None = None, **changes: Any
) -> dict[str, Any]:
    """Return one coin of the market list."""
    coin = {
        "id": COINGECKO_IDS[coin_symbol],
        "symbol": coin_symbol.lower(),
        "name": f"{coin_symbol} coin",
        "current_price": price,
        "market_cap": 1_000_000_000,
        "market_cap_rank": 1,
        "total_volume": 2_000_000.5,
        "high_24h": 51_000,
        "low_24h": 49_000,
        "price_change_24h": -10.5,
        "price_change_percentage_24h": -1.25,
        "last_updated": (at or datetime.now(tz=UTC)).isoformat().replace("+00:00", "Z"),
    }
    return {**coin, **changes}


def coincap_coin(symbol: str = "BTC", price: str = "50000.1234567890123456", **changes: Any) -> dict[str, Any]:
    """Return one asset."""
    coin = {
        "id": COINCAP_IDS[symbol],
        "rank": "1",
        "symbol": symbol,
        "name": f"{symbol} coin",
        "supply": "19746634.0000000000000000",
        "maxSupply": None,
        "marketCapUsd": "1177131549030.8370836720257832",
        "volumeUsd24Hr": "27208828548.1272705109760072",
        "priceUsd": price,
        "changePercent24Hr": "1.6189386924235160",
        "vwap24Hr": "59255.1231771968235907",
        "explorer": "https://blockchain.info/",
    }
    return {**coin, **changes}


def coincap_answer(*coins: dict[str, Any], at: datetime | None = None) -> dict[str, Any]:
    """Return the frame around assets."""
    return {"timestamp": milliseconds(at or datetime.now(tz=UTC)), "data": list(coins)}


def yahoo_now(symbol: str = "AAPL", price: float = 210.5, *, at: datetime | None = None, **changes: Any) -> dict[str, Any]:
    """Return the chart of one day, of which only the description is read."""
    meta = {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "NMS",
        "instrumentType": "EQUITY",
        "regularMarketTime": int((at or datetime.now(tz=UTC)).timestamp()),
        "regularMarketPrice": price,
        "chartPreviousClose": 200.0,
        "regularMarketVolume": 1_000,
        "longName": f"{symbol} Inc.",
    }
    kept = {name: value for name, value in {**meta, **changes}.items() if value is not None}
    return {"chart": {"result": [{"meta": kept, "indicators": {"quote": [{}]}}], "error": None}}


def alphavantage_quote(symbol: str = "AAPL", price: str = "210.5000", day: str | None = None, **changes: str) -> dict[str, Any]:
    """Return a quote of one share."""
    quote = {
        "01. symbol": symbol,
        "02. open": "205.0000",
        "03. high": "212.0000",
        "04. low": "204.0000",
        "05. price": price,
        "06. volume": "1000",
        "07. latest trading day": day or datetime.now(tz=UTC).date().isoformat(),
        "08. previous close": "200.0000",
        "09. change": "10.5000",
        "10. change percent": "5.2500%",
    }
    return {"Global Quote": {**quote, **changes}}


def finnhub_quote(price: float = 210.5, *, at: datetime | None = None, **changes: Any) -> dict[str, Any]:
    """Return a quote of one share."""
    seconds = int((at or datetime.now(tz=UTC)).timestamp())
    quote = {"c": price, "d": 10.5, "dp": 5.25, "h": 212.0, "l": 204.0, "o": 205.0, "pc": 200.0, "t": seconds}
    return {**quote, **changes}
