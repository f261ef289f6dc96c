"""A closed breaker whose state is shared, against pybreaker's with its state in memory."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from importlib.metadata import version

import pybreaker

from apps.resilience import Breaker, RedisStore
from apps.resilience.bridge import bridge
from benchmarks.pairs import Contest
from benchmarks.servers import valkey

CALLS = 200_000  # long enough for the shared flag to be read a few times in every round
AT_MOST = 0.5


def answer() -> int:
    """Be the call that is guarded."""
    return 42


def contests() -> Iterator[Contest]:
    """Yield the comparison of plain calls; our state lives in Valkey and is read behind the calls."""
    with valkey() as url:
        store = RedisStore(url, prefix=f"bench-{uuid.uuid4().hex}:")
        ours, theirs = Breaker("vendor", store=store), pybreaker.CircuitBreaker(fail_max=5, reset_timeout=60)

        def run_ours() -> None:
            for _ in range(CALLS):
                ours.call(answer)

        def run_theirs() -> None:
            for _ in range(CALLS):
                theirs.call(answer)

        yield Contest(
            name="breaker.call, closed",
            ours="apps.resilience Breaker.call, state shared in Valkey",
            theirs=f"pybreaker {version('pybreaker')} CircuitBreaker.call, state in memory",
            run_ours=run_ours,
            run_theirs=run_theirs,
            units=CALLS,
            at_most=AT_MOST,
        )
        bridge().run(_tidy(ours, store))


async def _tidy(breaker: Breaker, store: RedisStore) -> None:
    await asyncio.wait_for(breaker.look(), 5)
    await store.close()
