"""What one vendor's trouble costs the others: the 99th percentile of their calls, beside the same load without trouble."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from apps.resilience import Client, FallbackStore, KitError, MemoryStore, Pace, Policy, RedisStore, Request, host_of
from benchmarks.pairs import Contest
from benchmarks.servers import documents, valkey

CALLS = 400
OVER_S = 2.5
WARM_S = 0.5  # until then connections are opened; these calls are not counted
WELL_MS = 5
HUNG_MS = 4_000
ROUNDS = 7
PACE = Pace.per_minute(600_000, burst=20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class TailContest(Contest):
    """A contest of what the runs return, seconds of a percentile, in place of how long they take."""

    def _timed(self, run: Callable[[], object]) -> float:
        gc.collect()
        seconds = run()
        if not isinstance(seconds, float):
            raise TypeError("a run of a contest of tails returns seconds")
        return seconds * 1e6


class Desk:
    """A client that calls two vendors at a steady beat; each round has a client of its own, with breakers closed."""

    def __init__(self, url: str, redis_url: str) -> None:
        self._url = url
        self._redis_url = redis_url
        self._rounds = 0

    def tail_s(self, trouble: str) -> float:
        """Return the 99th percentile, in seconds, of the calls to the vendor that is well."""
        self._rounds += 1
        return asyncio.run(self._play(trouble, f"bench-outage-{self._rounds}:"))

    async def _play(self, trouble: str, prefix: str) -> float:
        store = FallbackStore(RedisStore(self._redis_url, prefix=prefix), MemoryStore())
        client = Client(store=store, allowed_hosts={host_of(self._url)})
        policies = {key: Policy(key=key, pace=PACE, deadline_s=5) for key in ("well", "other")}
        took_s: list[float] = []

        async def call(key: str, query: str, at_s: float) -> None:
            await asyncio.sleep(at_s)
            began_s = time.perf_counter()
            try:
                await client.send(Request(operation="bench", url=f"{self._url}/doc/1{query}"), policies[key])
            except KitError:
                if key == "well":
                    raise
            if key == "well" and at_s >= WARM_S:
                took_s.append(time.perf_counter() - began_s)

        beats = [number * OVER_S / CALLS for number in range(CALLS)]
        well = [asyncio.ensure_future(call("well", f"?wait_ms={WELL_MS}", at_s)) for at_s in beats]
        other = [asyncio.ensure_future(call("other", trouble, at_s)) for at_s in beats]
        await asyncio.gather(*well)
        for task in other:
            task.cancel()
        await asyncio.gather(*other, return_exceptions=True)
        await client.close()
        return statistics.quantiles(took_s, n=100)[98]


def contests() -> Iterator[Contest]:
    """Yield a vendor that answers 503 and one that hangs, each against the same vendor in good health."""
    healthy = f"?wait_ms={WELL_MS}"
    with valkey() as redis_url, documents() as url:
        desk = Desk(url, redis_url)
        for name, trouble in (("answers 503", f"{healthy}&status=503"), ("hangs", f"?wait_ms={HUNG_MS}")):
            yield TailContest(
                name=f"p99 of a vendor while another {name}",
                ours=f"{CALLS} calls to each in {OVER_S:g} s, the other {name}",
                theirs="the same calls, both well",
                run_ours=lambda trouble=trouble: desk.tail_s(trouble),  # type: ignore[misc]
                run_theirs=lambda: desk.tail_s(healthy),
                units=1,
                at_most=1.10,
                rounds=ROUNDS,
            )
