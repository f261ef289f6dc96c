"""What a hit of the stale cache costs: grading, counting and checking included, against the bare round trip under it."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator

from apps.resilience import CacheFallback, CacheRule, Loaded, MemoryCache, RedisCache, StaleCache
from apps.resilience.stores.redis_cache import FIELDS
from apps.resilience.stores.redis_link import Link
from benchmarks.pairs import Contest

READS = 500
VALUE = b'{"symbol": "BTC", "price": "64123.45", "volume": "1234567.89"}' * 32
RULE = CacheRule(fresh_s=3_600)


async def _load(_previous: object) -> Loaded:
    return Loaded(VALUE)


def contests() -> Iterator[Contest]:
    """Yield the comparisons; the server is REDIS_URL's, the keys are deleted afterwards."""
    url, prefix = os.environ["REDIS_URL"], f"benchmark-{uuid.uuid4().hex}:"
    with asyncio.Runner() as runner:
        store = RedisCache(url, prefix=prefix)
        shared = StaleCache(store=CacheFallback(store, MemoryCache()), default_rule=RULE)
        link = Link(url)
        name = store.name_of("price:btc")

        async def hits() -> None:
            for _ in range(READS):
                await shared.fetch("price:btc", _load)

        async def round_trips() -> None:
            for _ in range(READS):
                await link.client.hmget(name, FIELDS)

        yield Contest(
            name="a hit of the shared cache",
            ours="StaleCache.fetch over CacheFallback",
            theirs="redis-py: the HMGET alone",
            run_ours=lambda: runner.run(hits()),
            run_theirs=lambda: runner.run(round_trips()),
            units=READS,
            at_most=2.0,
        )
        runner.run(_leave(shared, link, prefix))


async def _leave(cache: StaleCache, link: Link, prefix: str) -> None:
    await cache.close()
    async for name in link.client.scan_iter(match=f"{prefix}*"):
        await link.client.unlink(name)
    await link.close()
