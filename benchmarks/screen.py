"""Screens of prices: from the cache against asking, and a batch of instruments against one after the other.

The vendor is a local server in a process of its own that speaks Yahoo's chart after 100 ms. The whole room is between
(chain, feed, strict reading, gates, the kit's client and cache over Redis) but for the rows of the fetch log in PostgreSQL,
which would lengthen the first screen, and one query for paused sources, which would lengthen both. The pace is set so high
that the limiter makes nobody wait.

python -m benchmarks.screen PORT        serves the charts
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import django
from aiohttp import web
from django.conf import settings
from django.test.utils import override_settings

from apps.sources import chains, http, screens
from apps.sources.calling import Journal
from apps.sources.registry import vendor_of
from apps.sources.rounds import OPERATION, Round
from benchmarks import servers
from benchmarks.pairs import Contest

LATENCY_MS = 100
LOOKS = 5
CLOSED = {"alphavantage": "no key", "finnhub": "no key"}


def contests() -> Iterator[Contest]:
    """Yield the comparisons, with a vendor and a Redis around them."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    port = servers.free_port()
    with servers.valkey() as redis_url, servers.running([sys.executable, "-m", "benchmarks.screen", str(port)]):
        servers.wait_until(lambda: servers.is_listening(port))
        yahoo = {"base_url": f"http://127.0.0.1:{port}", "rate_per_minute": 600_000}
        with override_settings(VENDORS={"yahoo": yahoo}, KIT_REDIS_URL=redis_url):
            count = len(settings.SCREEN_STOCKS)
            yield Contest(
                name=f"a screen of {count} from the cache",
                ours="kept in Redis",
                theirs=f"asked of a vendor that takes {LATENCY_MS} ms",
                run_ours=lambda: look(force=False),
                run_theirs=lambda: look(force=True),
                units=LOOKS,
                at_least=100,
                rounds=5,
            )
            yield Contest(
                name=f"{count} instruments at {LATENCY_MS} ms latency",
                ours="in a batch",
                theirs="one by one",
                run_ours=lambda: fetch(settings.SCREEN_STOCKS),
                run_theirs=fetch_singly,
                units=count,
                at_least=8,
                rounds=5,
            )
            http.shut_down()


def look(*, force: bool) -> None:
    """Make a screen of shares several times as the service does. Raises AssertionError when a price is missing."""
    for _ in range(LOOKS):
        _look(force=force)


def _look(*, force: bool) -> None:
    symbols = settings.SCREEN_STOCKS
    round_ = Round(chain=chains.STOCKS, symbols=symbols, closed=CLOSED)
    cached = http.fetch_kept(screens.key_of("stocks", symbols), round_.load, rule=screens.RULE, force=force)
    kept = screens.unpacked(cached.value)
    assert kept is not None
    assert len(screens.ranked(kept, order="change", now=datetime.now(tz=UTC))) == len(symbols)


def fetch(symbols: tuple[str, ...]) -> None:
    """Fetch prices of one source. Raises AssertionError when one is missing."""
    vendor = vendor_of("yahoo")
    feed = vendor.tickers
    assert feed is not None
    gathered = http.ask(vendor, Journal(operation=OPERATION), lambda caller: feed(caller, symbols))
    assert len(gathered.records) == len(symbols)


def fetch_singly() -> None:
    """Fetch the same prices one after the other."""
    for symbol in settings.SCREEN_STOCKS:
        fetch((symbol,))


async def _chart(request: web.Request) -> web.Response:
    await asyncio.sleep(LATENCY_MS / 1_000)
    symbol = request.match_info["symbol"]
    meta = {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "NMS",
        "instrumentType": "EQUITY",
        "regularMarketTime": int(time.time()),
        "regularMarketPrice": 210.5,
        "chartPreviousClose": 200.0,
        "regularMarketVolume": 1_000,
        "longName": f"{symbol} Inc.",
    }
    return web.json_response({"chart": {"result": [{"meta": meta, "indicators": {"quote": [{}]}}], "error": None}})


def serve(port: int) -> None:
    """Serve charts until told to stop."""
    app = web.Application()
    app.router.add_get("/v8/finance/chart/{symbol}", _chart)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
