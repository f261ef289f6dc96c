"""The way to the server: a bounded pool of connections, short time-outs, and one word for every way of being away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, TypeVar

from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.exceptions import RedisError

from apps.resilience.errors import StoreUnavailable
from apps.resilience.stores import redis_servers

T = TypeVar("T")
SOCKET_TIMEOUT_S = 1.0
TRIES = 2  # the second for a connection that went stale in the pool
CONNECTIONS_MAX = 32


class _Packing:
    """Packs commands in C, as the library does where it does not wait: a script of many keys has a thousand words."""

    _pack = staticmethod(HiredisRespSerializer().pack)

    def pack_command(self, *words: Any) -> list[bytes]:
        """Return the command as it is sent."""
        packed: list[bytes] = self._pack(*words)
        return packed


class Link:
    """Connections to one server for one event loop. A command has `timeout_s` a try, and no more for the whole of them."""

    def __init__(self, url: str, *, timeout_s: float = SOCKET_TIMEOUT_S) -> None:
        self._answer_timeout_s = timeout_s * TRIES
        pool = redis_servers.blocking_pool(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=self._answer_timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            socket_keepalive=True,
            health_check_interval=15,
            retry=Retry(NoBackoff(), TRIES - 1),
        )
        pool.connection_class = type("PackingConnection", (_Packing, pool.connection_class), {})
        self.client = redis_asyncio.Redis.from_pool(pool)

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


def batched(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield the things in order, so many at a time."""
    for start in range(0, len(things), size):
        yield things[start : start + size]
