"""A process that calls a vendor in trouble: told to go, it makes its calls evenly over a while and then waits for the end.

    outage_caller.py REDIS_URL PREFIX VENDOR_URL CALLS OVER_S OPEN_S FAILURES

All times are a tenth of those in production. Its connections to the store are open before it begins, as in a process that
has been at work. It says in JSON how its calls ended, and how long after the outage (of
OVER_S seconds) the first good answer came.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

from apps.resilience import (
    BreakerRule,
    Client,
    FallbackStore,
    HttpStatus,
    KitError,
    MemoryStore,
    Policy,
    RedisStore,
    Request,
    RetryRule,
    host_of,
)
from apps.resilience.bulkhead import BulkheadRule

GIVE_UP_S = 20.0
PAUSE_S = 0.05
AT_ONCE = 8


async def play(redis_url: str, prefix: str, url: str, calls: int, over_s: float, rule: BreakerRule) -> dict[str, object]:
    store = FallbackStore(RedisStore(redis_url, prefix=prefix), MemoryStore())
    client = Client(store=store, allowed_hosts={host_of(url)})
    retry = RetryRule(delays_s=(0.2, 0.4, 0.8))
    policy = Policy(key="vendor", breaker=rule, retry=retry, bulkhead=BulkheadRule(concurrent=AT_ONCE), deadline_s=3)
    ends: Counter[str] = Counter()

    async def call() -> str:
        try:
            await client.send(Request(operation="ask", url=url), policy)
        except HttpStatus as error:
            return str(error.status)
        except KitError as error:
            return error.code
        return "ok"

    async def late(at_s: float) -> None:
        await asyncio.sleep(at_s)
        ends[await call()] += 1

    await asyncio.gather(*[client.look_breaker("vendor") for _ in range(AT_ONCE)])
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began_s = time.monotonic()
    await asyncio.gather(*[late(number * over_s / calls) for number in range(calls)])
    while (end := await call()) != "ok" and time.monotonic() - began_s < over_s + GIVE_UP_S:  # noqa: ASYNC110  # a caller who comes again
        await asyncio.sleep(PAUSE_S)
    after_s = time.monotonic() - began_s - over_s
    await client.close()
    return {"ends": dict(ends), "last": end, "after_s": after_s, "fallbacks": store.fallbacks}


if __name__ == "__main__":
    redis_url, prefix, url, calls, over_s, open_s, failures = sys.argv[1:]
    # With too many failures to reach, the window's rates are out of reach too: the budget stands alone.
    calls_min = 20 if int(failures) < 1_000 else 1_000_000
    rule = BreakerRule(failures=int(failures), open_s=float(open_s), calls_min=calls_min)
    print(json.dumps(asyncio.run(play(redis_url, prefix, url, int(calls), float(over_s), rule))), flush=True)
