"""The pooled connections: one session for each event loop of the process, with an address filter in its resolver.

Only this file and `wire.py` know aiohttp.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from apps.resilience import bodies
from apps.resilience.addresses import HostPort, check_resolved
from apps.resilience.patience import Patience

CONNECTIONS = 100
CONNECTIONS_PER_HOST = 50
USER_AGENT = "Mozilla/5.0 (compatible; Bellwether/0.1)"


class PublicResolver(AbstractResolver):
    """Resolves names, in threads, and refuses those that lead to addresses that may not be called.

    The check sits here because these are the very addresses that will be connected to: a name that changes its
    mind between a check and the connection (DNS rebinding) gains nothing.
    """

    def __init__(self, allowed: Collection[HostPort]) -> None:
        self._allowed = allowed
        self._system = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Return the addresses of `host`. Raises AddressRefused."""
        results = await self._system.resolve(host, port, family)
        check_resolved((host.lower(), port), [result["host"] for result in results], self._allowed)
        return results

    async def close(self) -> None:
        """Let go of the system's resolver."""
        await self._system.close()


@dataclass(frozen=True, slots=True)
class Pool:
    """The session of one event loop, and who watches over its attempts' time."""

    session: aiohttp.ClientSession
    patience: Patience


class Sessions:
    """The pools of one client, made on first use in each event loop."""

    def __init__(self, *, allowed: Collection[HostPort], connections: int, per_host: int) -> None:
        self._allowed = allowed
        self._connections = connections
        self._per_host = per_host
        self._made: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()

    def here(self) -> Pool:
        """Return the pool of the running event loop."""
        loop = asyncio.get_running_loop()
        pool = self._made.get(loop)
        if pool is None or pool.session.closed:
            pool = self._made[loop] = Pool(self._make(), Patience(loop))
        return pool

    async def close(self) -> None:
        """Close the connections of the running event loop; those of ended loops are gone with them."""
        pool = self._made.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.session.close()

    def _make(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._connections,
            limit_per_host=0 if self._per_host >= self._connections else self._per_host,  # 0: nothing to count
            resolver=PublicResolver(self._allowed),
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": bodies.ACCEPTED},
            timeout=aiohttp.ClientTimeout(),  # none of its own: see patience.py
        )
        # aiohttp repeats a GET by itself when a kept connection breaks, unseen by breaker, limiter and retry budget:
        # in an outage of resets that is twice the calls. There is no public switch for it.
        session._retry_connection = False
        return session
