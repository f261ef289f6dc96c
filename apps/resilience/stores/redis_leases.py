"""Leases that all processes share: Lua on Redis or Valkey, one round trip a verb."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, cast

from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from apps.resilience.errors import StoreUnavailable
from apps.resilience.leases import MICROSECONDS, Held, Lease
from apps.resilience.stores import cache_scripts

SOCKET_TIMEOUT_S = 0.5
ANSWER_TIMEOUT_S = 2.0  # the wait for a free connection included
CONNECTIONS_MAX = 32
TTL_MS = 86_400_000  # a day without a grant and the key is forgotten; its fences go on, because they are times


def connect(url: str, *, timeout_s: float = SOCKET_TIMEOUT_S) -> redis_asyncio.Redis:
    """Return a client with a bounded pool, short time-outs and one repeat, for a connection that went stale in the pool."""
    pool = redis_asyncio.BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS_MAX,
        timeout=ANSWER_TIMEOUT_S,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 1),
    )
    return redis_asyncio.Redis.from_pool(pool)


async def answer(command: Awaitable[Any] | Any) -> Any:
    """Wait for the server's answer. Raises StoreUnavailable whatever way it is away."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await command
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


class RedisLeases:
    """Leases under `prefix`, timed by the server's clock. The connection is its maker's to close."""

    def __init__(self, client: redis_asyncio.Redis, *, prefix: str = "kit:") -> None:
        self._prefix = prefix
        self._acquire = client.register_script(cache_scripts.ACQUIRE)
        self._extend = client.register_script(cache_scripts.EXTEND)

    async def acquire(self, key: str, *, owner: str, lease_s: float) -> Lease | Held:
        """Take the lease of `key` if nobody has it; it is not re-entrant."""
        arguments: list[str | int] = [owner, int(lease_s * MICROSECONDS), TTL_MS]
        granted, fence, left_us = await answer(self._acquire([self.name_of(key)], arguments))
        if not granted:
            return Held(fence=int(fence), left_s=int(left_us) / MICROSECONDS)
        return Lease(key=key, owner=owner, fence=int(fence), lease_s=lease_s)

    async def renew(self, lease: Lease) -> bool:
        """Start its `lease_s` anew. False when it was released, or has passed to somebody else."""
        return await self._end_in(lease, max(1, int(lease.lease_s * MICROSECONDS)))

    async def release(self, lease: Lease) -> bool:
        """Give it back. False when it was not ours any more."""
        return await self._end_in(lease, 0)

    def name_of(self, key: str) -> str:
        """Return the server's name of the lease; it carries the key as hash tag, as the value it guards does."""
        return f"{self._prefix}{{{key}}}:lease"

    async def _end_in(self, lease: Lease, lease_us: int) -> bool:
        return bool(cast("int", await answer(self._extend([self.name_of(lease.key)], [lease.fence, lease_us]))))
