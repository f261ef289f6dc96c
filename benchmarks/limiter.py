"""Taking a slot, against the floor: one EVALSHA round trip of a script that does nothing, over the same client library."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from importlib.metadata import version

from redis import asyncio as redis_asyncio

from apps.resilience import Limiter, Pace, RedisStore
from benchmarks.pairs import Contest
from benchmarks.servers import valkey

CALLS, ROUNDS = 300, 41  # many short rounds: whatever else the machine does then hits both sides alike
AT_MOST = 1.3
ARGUMENTS = ("11110", "0", "1000000", "86400000", "60000000", "1")  # as many as the limiter sends


def contests() -> Iterator[Contest]:
    """Yield the comparison; both sides ask one after the other over one connection each, in one event loop."""
    with valkey() as url, asyncio.Runner() as runner:
        key = f"bench-{uuid.uuid4().hex}"
        store = RedisStore(url, prefix=f"{key}:")
        limiter = Limiter("vendor", Pace(interval_us=1), store=store)
        client = redis_asyncio.Redis.from_url(
            url, decode_responses=True, socket_timeout=0.5, socket_keepalive=True, health_check_interval=15
        )
        fingerprint: str = runner.run(_loaded(client))

        async def ours() -> None:
            for _ in range(CALLS):
                await limiter.acquire()

        async def theirs() -> None:
            for _ in range(CALLS):
                await client.evalsha(fingerprint, 1, key, *ARGUMENTS)

        yield Contest(
            name="limiter.acquire",
            ours="apps.resilience Limiter.acquire, shared in Valkey",
            theirs=f"EVALSHA of `return 1` with the same arguments, redis-py {version('redis')}",
            run_ours=lambda: runner.run(ours()),
            run_theirs=lambda: runner.run(theirs()),
            units=CALLS,
            at_most=AT_MOST,
            rounds=ROUNDS,
        )
        runner.run(_tidy(store, client))


async def _tidy(store: RedisStore, client: redis_asyncio.Redis) -> None:
    await store.close()
    await client.aclose()


async def _loaded(client: redis_asyncio.Redis) -> str:
    fingerprint: str = await client.script_load("return 1")
    return fingerprint
