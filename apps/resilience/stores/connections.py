"""Connections to Redis or Valkey, one pool for each event loop, and scripts by their fingerprints."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable
from typing import Any
from weakref import WeakKeyDictionary

from redis import asyncio as redis_asyncio
from redis.exceptions import DataError, NoScriptError, RedisError

from apps.resilience.errors import StoreUnavailable
from apps.resilience.stores import redis_servers

SOCKET_TIMEOUT_S = 0.5  # the limiter must cost microseconds; a store that is slower than this is gone


class Script:
    """The text of a Lua script and its fingerprint."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.fingerprint = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Connections:
    """Clients of one server. A connection belongs to the loop that opened it, so every loop has its own client."""

    def __init__(self, url: str, *, timeout_s: float = SOCKET_TIMEOUT_S) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis_asyncio.Redis] = WeakKeyDictionary()

    async def run(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script in one round trip; two when the server does not know it yet. Raises StoreUnavailable."""
        client = self._client()
        try:
            return await client.evalsha(script.fingerprint, len(keys), *keys, *arguments)
        except NoScriptError:
            return await answer(client.eval(script.text, len(keys), *keys, *arguments))
        except DataError:
            raise  # what we sent was wrong: the server is not to blame
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"{type(error).__name__}: {error}") from error

    async def hash_of(self, key: str, names: list[str]) -> list[str | None]:
        """Return fields of a hash, None for those that are not there. Raises StoreUnavailable."""
        fields: list[str | None] = await answer(self._client().hmget(key, names))
        return fields

    async def close(self) -> None:
        """Close the connections of every loop that still runs."""
        here = asyncio.get_running_loop()
        for loop, client in list(self._clients.items()):
            if loop is here:
                await client.aclose()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(client.aclose(), loop))
        self._clients.clear()

    def _client(self) -> redis_asyncio.Redis:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            connections = redis_servers.pool(
                self._url,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=self._timeout_s,
                socket_keepalive=True,
                health_check_interval=15,
                decode_responses=True,
            )
            client = self._clients[loop] = redis_asyncio.Redis.from_pool(connections)
        return client


async def answer(command: Awaitable[Any] | Any) -> Any:
    """Wait for the server's answer. Raises StoreUnavailable whatever way the server is away."""
    try:
        return await command
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error
