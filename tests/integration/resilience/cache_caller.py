"""A process with a cache: told to go, it lets many callers fetch one key, and says in JSON how they fared.

    cache_caller.py URL PREFIX LOADS_FILE CALLERS LOAD_S value|error|force

Each load adds a line to LOADS_FILE.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from apps.resilience import CacheFallback, Loaded, MemoryCache, RedisCache, StaleCache, TimedOut

KEY = "price:btc"
PATIENCE_S = 10.0  # a busy machine is not an outage


async def play(url: str, prefix: str, loads: Path, callers: int, load_s: float, mode: str) -> dict[str, object]:
    store = CacheFallback(RedisCache(url, prefix=prefix, timeout_s=PATIENCE_S), MemoryCache())
    cache = StaleCache(store=store)

    async def load(_previous):
        with loads.open("a") as lines:
            lines.write(f"{os.getpid()}\n")
        await asyncio.sleep(load_s)
        if mode == "error":
            raise TimedOut("no answer")
        return Loaded(f"by {os.getpid()}".encode())

    fetched = (cache.fetch(KEY, load, force=mode == "force") for _ in range(callers))
    outcomes = await asyncio.gather(*fetched, return_exceptions=True)
    told = sorted({repr(one) if isinstance(one, BaseException) else one.value.decode() for one in outcomes})
    counts = asdict(cache.statistics()["price"])
    await cache.close()
    return {"outcomes": told, "answered": len(outcomes), "counts": counts, "fallbacks": store.reach.fallbacks}


if __name__ == "__main__":
    url, prefix, loads, callers, load_s, mode = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asyncio.run(play(url, prefix, Path(loads), int(callers), float(load_s), mode))), flush=True)
