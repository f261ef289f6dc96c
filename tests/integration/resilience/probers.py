"""A process of callers for `test_half_open_acceptance.py`: python probers.py URL PREFIX CALLERS OPEN_S LEASE_S

For each line on its input, all callers try to get through the breaker at once. What is on its way at the same moment,
in all processes, is counted on the server apart from the breaker; the most ever seen is kept beside it.
"""

from __future__ import annotations

import asyncio
import json
import sys

import redis.asyncio

from apps.resilience import Breaker, BreakerOpen, BreakerRule, RedisStore

PROBE_S = 0.01
ENTER = """
local now = redis.call('INCR', KEYS[1])
if now > tonumber(redis.call('GET', KEYS[2]) or '0') then redis.call('SET', KEYS[2], now) end
"""


async def main(url: str, prefix: str, callers: int, open_s: float, lease_s: float) -> None:
    store = RedisStore(url, prefix=prefix, timeout_s=10.0)
    rule = BreakerRule(failures=1, open_s=open_s, probes=1, probe_lease_s=lease_s)
    server = redis.asyncio.Redis.from_url(url)
    say(ready=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        breaker = Breaker(order["key"], store=store, rule=rule)
        keys = (f"{prefix}{order['key']}:on-their-way", f"{prefix}{order['key']}:most")
        if order["holds"]:
            admission = await breaker.admit()
            say(holds=bool(admission.token))
            continue

        async def probe(breaker: Breaker = breaker, keys: tuple[str, str] = keys) -> bool:
            try:
                admission = await breaker.admit()
            except BreakerOpen:
                return False
            if not admission.token:
                return False
            await server.eval(ENTER, 2, *keys)
            await asyncio.sleep(PROBE_S)
            await server.decr(keys[0])
            await breaker.report(admission, breaker.verdict_on(ValueError()))
            return True

        admitted = await asyncio.gather(*(probe() for _ in range(callers)))
        say(probes=sum(admitted))


def say(**said: object) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])))
