"""A process of callers for `test_quota_between_processes.py`: python callers.py URL PREFIX PUBLISHED WINDOW_S WORKERS RUN_S

The vendor is a script on the server: a sliding window of the true quota, which the callers do not know.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import redis.asyncio

from apps.resilience import Limiter, Pace, RedisStore

VENDOR = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local quota, window = tonumber(redis.call('HGET', KEYS[1], 'quota')), tonumber(redis.call('HGET', KEYS[1], 'window_us'))
local from = string.format('%.0f', now - window)
local granted = redis.call('ZCOUNT', KEYS[2], '(' .. from, '+inf') < quota
redis.call('ZADD', granted and KEYS[2] or KEYS[3], string.format('%.0f', now), redis.call('HINCRBY', KEYS[1], 'calls', 1))
return granted and 1 or 0
"""


async def main(url: str, prefix: str, published: int, window_s: float, workers: int, run_s: float) -> None:
    store = RedisStore(url, prefix=prefix, timeout_s=10.0)
    limiter = Limiter("vendor", Pace.of(published, per_s=window_s), store=store)
    server = redis.asyncio.Redis.from_url(url)
    ends_s = time.monotonic() + run_s

    async def work() -> None:
        while time.monotonic() < ends_s:
            reservation = await limiter.acquire()
            if await server.eval(VENDOR, 3, f"{prefix}vendor", f"{prefix}granted", f"{prefix}refused"):
                await limiter.on_success(reservation)
            else:
                await limiter.on_rate_limit(reservation=reservation)

    await asyncio.gather(*(work() for _ in range(workers)))
    sys.stdout.write(json.dumps({"processes": store.processes}) + "\n")
    await store.close()
    await server.aclose()


if __name__ == "__main__":
    url, prefix, published, window_s, workers, run_s = sys.argv[1:]
    asyncio.run(main(url, prefix, int(published), float(window_s), int(workers), float(run_s)))
