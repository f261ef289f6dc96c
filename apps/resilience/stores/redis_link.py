"""The way to the server: a bounded pool of connections, short time-outs, and one word for every way of being away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from apps.resilience.errors import StoreUnavailable

SOCKET_TIMEOUT_S = 1.0
TRIES = 2  # the second for a connection that went stale in the pool
CONNECTIONS_MAX = 32


class Link:
    """Connections to one server for one event loop. A command has `timeout_s` a try, and no more for the whole of them."""

    def __init__(self, url: str, *, timeout_s: float = SOCKET_TIMEOUT_S) -> None:
        self._answer_timeout_s = timeout_s * TRIES
        self.client = redis_asyncio.Redis.from_pool(
            redis_asyncio.BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS_MAX,
                timeout=self._answer_timeout_s,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                socket_keepalive=True,
                health_check_interval=15,
                retry=Retry(NoBackoff(), TRIES - 1),
            )
        )

    async def answer(self, command: Awaitable[Any] | Any) -> Any:
        """Wait for the server's answer, and for a free connection. Raises StoreUnavailable whatever way it is away."""
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                return await command
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Let go of connections."""
        await self.client.aclose()
