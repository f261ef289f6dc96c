"""Fetching through the whole kit against the bare HTTP library with as many connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import version
from typing import Any

import aiohttp

from apps.resilience import Client, FallbackStore, MemoryStore, Pace, Policy, RedisStore, Request, Response, host_of
from apps.resilience.bulkhead import BulkheadRule
from benchmarks.pairs import Contest
from benchmarks.servers import documents, valkey

DOCUMENTS = 1_000
CONNECTIONS = 100
LATENCY_MS = 100
INSTRUMENTS = 30
LAYERS = "address filter, retry, breaker and limiter on Valkey, bulkhead, deadline, body cap; no cache rule"
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
        self.client = Client(store=store, allowed_hosts=allowed, connections=CONNECTIONS, per_host=CONNECTIONS)
        self._session: aiohttp.ClientSession | None = None

    def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run the work in the loop and return its result."""

        async def working() -> Any:
            return await work()

        return self.loop.run_until_complete(working())

    async def through_the_kit(self, count: int, query: str = "") -> None:
        """Fetch so many documents in a batch, all of them good."""
        outcomes = await self.client.fetch_batch([self._address(number, query) for number in range(count)], self.policy)
        failed = [outcome for outcome in outcomes if not isinstance(outcome, Response)]
        if failed or len(outcomes) != count:
            raise failed[0]

    async def one_by_one(self, count: int, query: str = "") -> None:
        """Fetch so many documents through the kit, each after the other."""
        for number in range(count):
            await self.client.send(Request(operation="bench", url=self._address(number, query)), self.policy)

    async def bare(self, count: int) -> None:
        """Fetch so many documents with the library alone."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS))
        session = self._session
        await asyncio.gather(*[self._get(session, self._address(number)) for number in range(count)])

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
        self.loop.close()


def contests() -> Iterator[Contest]:
    """Yield a thousand small documents at once, and thirty slow ones in a batch against one by one."""
    with valkey() as redis_url, documents() as url:
        bench = Bench(url, redis_url)
        yield Contest(
            name="fetching 1,000 small JSON documents",
            ours=f"fetch_batch: {LAYERS}",
            theirs=f"asyncio.gather of {AIOHTTP}, one session of {CONNECTIONS} connections",
            run_ours=lambda: bench.run(lambda: bench.through_the_kit(DOCUMENTS)),
            run_theirs=lambda: bench.run(lambda: bench.bare(DOCUMENTS)),
            units=DOCUMENTS,
            at_most=1.25,
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
