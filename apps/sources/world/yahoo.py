"""Yahoo's window: `/v8/finance/chart/{symbol}` with daily bars at the world's own pace.

`timestamp` is the moment a bar closes and only closed bars are served, so every bar is final; `currentTradingPeriod`
and `regularMarketTime` name the last of them. A range counts recorded trading days: `1mo` is 21 bars.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web
from multidict import MultiMapping

from apps.sources.world.answers import Refusal, as_json, as_whole
from apps.sources.world.tape import Bar, Series
from apps.sources.world.world import World

TimedBar = tuple[int, Bar]

RANGES = {"1d": 1, "5d": 5, "1mo": 21, "3mo": 63, "6mo": 126, "1y": 252, "2y": 504, "5y": 1_260, "10y": 2_520, "max": None}
YEAR = 252


def refused(status: int, code: str, description: str) -> Refusal:
    """Return Yahoo's error envelope."""
    return Refusal(status, {"chart": {"result": None, "error": {"code": code, "description": description}}})


def unprocessable(what: str) -> Refusal:
    """Return Yahoo's 422."""
    return refused(422, "Unprocessable Entity", f"Invalid input - {what}")


class Yahoo:
    """Answers as query1.finance.yahoo.com does, below a path prefix."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """Return the routes of this window."""
        return [web.get(f"{prefix}/v8/finance/chart/{{symbol}}", self.chart)]

    async def chart(self, request: web.Request) -> web.Response:
        """Answer the bars of one symbol; 404 for a symbol the world does not play."""
        series = self.world.tape.series.get(request.match_info["symbol"].upper())
        if series is None:
            raise refused(404, "Not Found", "No data found, symbol may be delisted")
        interval = request.query.get("interval", "1d")
        if interval != "1d":
            raise unprocessable(f"interval={interval} is not supported. Valid intervals: [1d]")
        bars = self.world.tape.closed_bars(series, self.world.timeline, self.world.at_ms())
        shown = _shown(bars, request.query)
        result = {"meta": self._meta(series, bars, shown, request.query), **_columns(shown)}
        return as_json({"chart": {"result": [result], "error": None}})

    def _meta(self, series: Series, bars: list[TimedBar], shown: list[TimedBar], query: MultiMapping[str]) -> dict[str, Any]:
        instrument = series.instrument
        at_s, latest = bars[-1]
        year = [bar for _, bar in bars[-YEAR:]]
        pace_s = self.world.tape.bar_every_s / self.world.timeline.speed
        return {
            "currency": "USD",
            "symbol": instrument.symbol,
            "exchangeName": instrument.exchange,
            "fullExchangeName": instrument.exchange_name,
            "instrumentType": instrument.kind,
            "firstTradeDate": bars[0][0],
            "regularMarketTime": at_s,
            "hasPrePostMarketData": False,
            "gmtoffset": 0,
            "timezone": "UTC",
            "exchangeTimezoneName": "UTC",
            "regularMarketPrice": latest.close,
            "fiftyTwoWeekHigh": max(bar.high for bar in year),
            "fiftyTwoWeekLow": min(bar.low for bar in year),
            "regularMarketDayHigh": latest.high,
            "regularMarketDayLow": latest.low,
            "regularMarketVolume": latest.volume or 0,
            "longName": f"{instrument.name} ({series.title}, one bar every {pace_s:.1f} s)",
            "shortName": instrument.name,
            "chartPreviousClose": _close_before(bars, shown),
            "priceHint": 2,
            "currentTradingPeriod": _periods(bars),
            "dataGranularity": "1d",
            "range": "" if "period1" in query else query.get("range", "1d"),
            "validRanges": list(RANGES),
        }


def _shown(bars: list[TimedBar], query: MultiMapping[str]) -> list[TimedBar]:
    """Return the bars that `period1`/`period2` or `range` ask for. Raises Refusal."""
    if "period1" in query or "period2" in query:
        return _between(bars, query)
    name = query.get("range", "1d")
    if name not in RANGES:
        raise unprocessable(f"range={name} is not supported. Valid ranges: {list(RANGES)}")
    count = RANGES[name]
    return bars if count is None else bars[-count:]


def _between(bars: list[TimedBar], query: MultiMapping[str]) -> list[TimedBar]:
    refusal = refused(400, "Bad Request", "Invalid input - period1 and period2 are Unix seconds")
    first_s = as_whole(query.get("period1", "0"), refusal)
    end_s = as_whole(query.get("period2", str(bars[-1][0] + 1)), refusal)
    if first_s > end_s:
        message = f"Invalid input - start date cannot be after end date. startDate = {first_s}, endDate = {end_s}"
        raise refused(400, "Bad Request", message)
    return [(at_s, bar) for at_s, bar in bars if first_s <= at_s < end_s]


def _columns(shown: list[TimedBar]) -> dict[str, Any]:
    """Return the parallel arrays; a window without bars has no `timestamp` and empty indicators, as the vendor sends."""
    if not shown:
        return {"indicators": {"quote": [{}], "adjclose": [{}]}}
    bars = [bar for _, bar in shown]
    quote = {name: [getattr(bar, name) for bar in bars] for name in ("open", "high", "low", "close", "volume")}
    closes = {"adjclose": [bar.close for bar in bars]}
    return {"timestamp": [at_s for at_s, _ in shown], "indicators": {"quote": [quote], "adjclose": [closes]}}


def _close_before(bars: list[TimedBar], shown: list[TimedBar]) -> float:
    """Return the close just before the window, or the first open there is."""
    first = bars.index(shown[0]) if shown else len(bars)
    return bars[first - 1][1].close if first > 0 else bars[0][1].open


def _periods(bars: list[TimedBar]) -> dict[str, Any]:
    """Return the trading periods of the last bar: it began when the one before it closed; nothing before or after."""
    start, end = bars[-2][0], bars[-1][0]
    edges = {"pre": (start, start), "regular": (start, end), "post": (end, end)}
    return {name: {"timezone": "UTC", "start": first, "end": last, "gmtoffset": 0} for name, (first, last) in edges.items()}
