"""Two hundred documents at once, in one process: through the kit's `fetch_batch`, and with the bare HTTP library."""

from __future__ import annotations

import asyncio
import os
from functools import cache

import aiohttp

from apps.resilience import Client, FallbackStore, MemoryStore, Pace, Policy, RedisStore, Response, host_of
from apps.resilience.bridge import bridge
from apps.resilience.bulkhead import BulkheadRule

URL_VARIABLE = "BENCHMARK_URL"
KIT_VARIABLE = "BENCHMARK_KIT_REDIS_URL"
URLS_EACH = 200
CONNECTIONS = 50
POLICY = Policy(
    key="benchmark",
    pace=Pace.per_minute(60_000_000, burst=100_000),
    bulkhead=BulkheadRule(concurrent=CONNECTIONS),
)


def fetch_by_kit() -> None:
    """Fetch through the whole kit (retry, breaker and limiter on Valkey, bulkhead, deadline). Raises what failed."""
    outcomes = bridge().run(_client(os.getpid()).fetch_batch(_addresses(), POLICY))
    failed = [outcome for outcome in outcomes if not isinstance(outcome, Response)]
    if failed:
        raise failed[0]


def fetch_bare() -> None:
    """Fetch with as many connections and nothing around them."""
    bridge().run(_gather())


async def _gather() -> None:
    session = _session(os.getpid())
    await asyncio.gather(*[_get(session, address) for address in _addresses()])


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url) as answer:
        return await answer.read()


@cache
def _client(_pid: int) -> Client:
    """Make a client for this process; the number is there so that a forked child makes its own."""
    store = FallbackStore(RedisStore(os.environ[KIT_VARIABLE], prefix="benchmark:"), MemoryStore())
    allowed = {host_of(os.environ[URL_VARIABLE])}
    return Client(store=store, allowed_hosts=allowed, connections=CONNECTIONS, per_host=CONNECTIONS)


@cache
def _session(_pid: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS))


@cache
def _addresses() -> list[str]:
    return [f"{os.environ[URL_VARIABLE]}/doc/{number}" for number in range(URLS_EACH)]
