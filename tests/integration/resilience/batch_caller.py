"""A process with a cache: told to go, it fetches a batch of documents and says in JSON how it fared.

    batch_caller.py URL PREFIX LOADS_FILE DOCUMENTS LOAD_S value|error

Each load adds a line to LOADS_FILE: the process and the document.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from apps.resilience import (
    NO_RETRY,
    BulkheadRule,
    CacheFallback,
    CacheRule,
    Client,
    KitError,
    MemoryCache,
    MemoryStore,
    Policy,
    RedisCache,
    Request,
    StaleCache,
    TimedOut,
)
from apps.resilience.exchange import Answer

PATIENCE_S = 10.0  # a busy machine is not an outage
AT_ONCE = 10


class Upstream:
    """An other side that takes its time and whose calls are written down."""

    def __init__(self, loads: Path, load_s: float, mode: str) -> None:
        self.loads, self.load_s, self.mode = loads, load_s, mode

    async def __call__(self, request: Request, policy: Policy, left_s: float) -> Answer:
        with self.loads.open("a") as lines:
            lines.write(f"{os.getpid()} {request.url.rpartition('/')[2]}\n")
        await asyncio.sleep(self.load_s)
        if self.mode == "error":
            raise TimedOut("no answer")
        return Answer(status=200, headers={}, body=f"by {os.getpid()}".encode(), received_at_s=0.0)

    async def close(self) -> None:
        self.loads = Path(os.devnull)


async def play(url: str, prefix: str, loads: Path, documents: int, load_s: float, mode: str) -> dict[str, object]:
    store = CacheFallback(RedisCache(url, prefix=prefix, timeout_s=PATIENCE_S), MemoryCache())
    cache = StaleCache(store=store)
    client = Client(store=MemoryStore(), cache=cache, transport=Upstream(loads, load_s, mode))
    policy = Policy(
        key="vendor", retry=NO_RETRY, cache=CacheRule(fresh_s=600), bulkhead=BulkheadRule(concurrent=AT_ONCE), deadline_s=120
    )
    outcomes = await client.fetch_batch([f"https://vendor.example/{number}" for number in range(documents)], policy)
    told = [repr(one) if isinstance(one, KitError) else one.body.decode() for one in outcomes]
    counts = asdict(cache.statistics()["vendor"])
    await client.close()
    await cache.close()
    return {"outcomes": told, "counts": counts, "fallbacks": store.reach.fallbacks}


if __name__ == "__main__":
    url, prefix, loads, documents, load_s, mode = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asyncio.run(play(url, prefix, Path(loads), int(documents), float(load_s), mode))), flush=True)
