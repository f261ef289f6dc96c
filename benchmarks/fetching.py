"""Fetching through the whole kit against the bare HTTP library with as many connections."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from itertools import count as counting
from typing import Any

import aiohttp
import redis

from apps.resilience import (
    CacheFallback,
    CacheRule,
    Client,
    FallbackStore,
    MemoryCache,
    MemoryStore,
    Pace,
    Policy,
    RedisCache,
    RedisStore,
    Request,
    Response,
    StaleCache,
    host_of,
)
from apps.resilience.bulkhead import BulkheadRule
from benchmarks.pairs import Contest
from benchmarks.servers import documents, valkey

DOCUMENTS = 1_000
CONNECTIONS = 100
LATENCY_MS = 100
INSTRUMENTS = 30
KEPT_AT_MOST = 2.25
LAYERS = "address filter, retry, breaker and limiter on Valkey, bulkhead, deadline, body cap"
KEPT = "each document under a lease of its own on Valkey, written there and to memory before the batch returns"
AIOHTTP = f"aiohttp {version('aiohttp')}"


class Bench:
    """An event loop with a client of the kit and a bare session, both with as many connections."""

    def __init__(self, url: str, redis_url: str) -> None:
        self.url = url
        self.loop = asyncio.new_event_loop()
        self.policy = Policy(
            key="bench",
            pace=Pace.per_minute(6_000_000, burst=6 * DOCUMENTS),
            bulkhead=BulkheadRule(concurrent=CONNECTIONS),
        )
        allowed = {host_of(url)}
        store = FallbackStore(RedisStore(redis_url, prefix="bench:"), MemoryStore())
        self._prefix = f"benchmark-{uuid.uuid4().hex}:"
        self._redis_url = redis_url
        self._cache = StaleCache(store=CacheFallback(RedisCache(redis_url, prefix=self._prefix), MemoryCache()))
        self.client = Client(store=store, allowed_hosts=allowed, cache=self._cache, connections=CONNECTIONS, per_host=CONNECTIONS)
        self._runs = counting()
        self._session: aiohttp.ClientSession | None = None

    def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run the work in the loop and return its result."""

        async def working() -> Any:
            return await work()

        return self.loop.run_until_complete(working())

    async def through_the_kit(self, count: int, query: str = "", cache: CacheRule | None = None) -> None:
        """Fetch so many documents in a batch, all of them good."""
        policy = replace(self.policy, cache=cache)
        outcomes = await self.client.fetch_batch([self._address(number, query) for number in range(count)], policy)
        failed = [outcome for outcome in outcomes if not isinstance(outcome, Response)]
        if failed or len(outcomes) != count:
            raise failed[0]

    async def one_by_one(self, count: int, query: str = "") -> None:
        """Fetch so many documents through the kit, each after the other."""
        for number in range(count):
            await self.client.send(Request(operation="bench", url=self._address(number, query)), self.policy)

    def unknown(self) -> str:
        """Return a query that no document was ever asked with."""
        return f"?run={next(self._runs)}"

    async def bare(self, count: int, query: str = "") -> None:
        """Fetch so many documents with the library alone."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS))
        session = self._session
        await asyncio.gather(*[self._get(session, self._address(number, query)) for number in range(count)])

    async def _get(self, session: aiohttp.ClientSession, url: str) -> bytes:
        async with session.get(url) as answer:
            return await answer.read()

    def _address(self, number: int, query: str = "") -> str:
        return f"{self.url}/doc/{number}{query}"

    def close(self) -> None:
        """Close client, session and loop."""
        if self._session is not None:
            self.run(self._session.close)
        self.run(self.client.close)
        self.run(self._cache.close)
        self.loop.close()
        with redis.Redis.from_url(self._redis_url) as server:
            for name in server.scan_iter(match=f"{self._prefix}*", count=DOCUMENTS):
                server.unlink(name)


def contests() -> Iterator[Contest]:
    """Yield a thousand small documents at once, without and with a cache rule, and thirty slow ones against one by one."""
    with valkey() as redis_url, documents() as url:
        bench = Bench(url, redis_url)
        yield Contest(
            name="fetching 1,000 small JSON documents",
            ours=f"fetch_batch: {LAYERS}; no cache rule",
            theirs=f"asyncio.gather of {AIOHTTP}, one session of {CONNECTIONS} connections",
            run_ours=lambda: bench.run(lambda: bench.through_the_kit(DOCUMENTS)),
            run_theirs=lambda: bench.run(lambda: bench.bare(DOCUMENTS)),
            units=DOCUMENTS,
            at_most=1.25,
            rounds=15,
        )
        rule = CacheRule(fresh_s=3_600)
        yield Contest(
            name="fetching 1,000 small JSON documents that are to be kept, none of them known",
            ours=f"fetch_batch with a cache rule: {LAYERS}; {KEPT}",
            theirs=f"asyncio.gather of {AIOHTTP}, one session of {CONNECTIONS} connections, nothing kept",
            run_ours=lambda: bench.run(lambda: bench.through_the_kit(DOCUMENTS, bench.unknown(), rule)),
            run_theirs=lambda: bench.run(lambda: bench.bare(DOCUMENTS, bench.unknown())),
            units=DOCUMENTS,
            at_most=KEPT_AT_MOST,
            rounds=15,
        )
        slow = f"?wait_ms={LATENCY_MS}"
        yield Contest(
            name=f"{INSTRUMENTS} instruments at {LATENCY_MS} ms latency",
            ours="fetch_batch",
            theirs="send, one by one",
            run_ours=lambda: bench.run(lambda: bench.through_the_kit(INSTRUMENTS, slow)),
            run_theirs=lambda: bench.run(lambda: bench.one_by_one(INSTRUMENTS, slow)),
            units=INSTRUMENTS,
            at_least=8.0,
            rounds=3,
        )
        bench.close()
