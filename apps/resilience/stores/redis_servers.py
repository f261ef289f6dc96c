"""Where a Redis address leads: to one server, or through Sentinels to the one that is the master now.

Beside the addresses of the library (`redis://`, `rediss://`) there is one for a master under Sentinels:

    sentinel://[[user]:password@]host:26379,host:26379,host:26379/0?master=NAME[&sentinel_password=...]

User and password are those of the Redis servers, the number is the database. A Sentinel is asked for every new
connection, so a connection that broke is made again to whichever server took over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel
from redis.sentinel import SentinelConnectionPool as WaitingSentinelConnectionPool

SCHEME = "sentinel://"
SENTINEL_PORT = 26379
SENTINEL_TIMEOUT_S = 0.5  # a Sentinel that is slower is passed over for the next one
# The name takes the place of a host in other libraries' addresses, and those fold upper case.
MASTER_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
DATABASE_PATH = re.compile(r"/?|/[0-9]{1,5}", re.ASCII)
OPTIONS = frozenset({"master", "sentinel_password"})


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """One master under Sentinels: who is asked for it, what it is called, and how one logs in."""

    sentinels: tuple[tuple[str, int], ...]
    master: str
    database: int
    username: str | None
    password: str | None = field(repr=False)
    sentinel_password: str | None = field(repr=False)

    def login(self) -> dict[str, Any]:
        """Return the library's keyword arguments for a connection to the master."""
        return {"db": self.database, "username": self.username, "password": self.password}

    def sentinel_login(self) -> dict[str, Any]:
        """Return the library's keyword arguments for a connection to a Sentinel: one short try."""
        patience = {"socket_timeout": SENTINEL_TIMEOUT_S, "socket_connect_timeout": SENTINEL_TIMEOUT_S}
        return {"password": self.sentinel_password, **patience}


def is_sentinel(url: str) -> bool:
    """Say whether the address leads through Sentinels."""
    return url.startswith(SCHEME)


def sentinel_address(url: str) -> SentinelAddress:
    """Read an address that leads through Sentinels. Raises ValueError, whose text never holds a password."""
    login, _, hosts = urlsplit(url).netloc.rpartition("@")
    username, _, password = login.partition(":")
    path, options = urlsplit(url).path, dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    if unknown := sorted(options.keys() - OPTIONS):
        raise ValueError(f"knows no {unknown[0]!r}: only {' and '.join(sorted(OPTIONS))}")
    if not MASTER_NAME.fullmatch(options.get("master", "")):
        raise ValueError("needs ?master=NAME, in lower-case letters, digits, dots and dashes")
    if not DATABASE_PATH.fullmatch(path):
        raise ValueError("must end in a database number, such as /0")
    return SentinelAddress(
        sentinels=tuple(_host_and_port(host) for host in hosts.split(",")),
        master=options["master"],
        database=int(path.strip("/") or 0),
        username=unquote(username) or None,
        password=unquote(password) or None,
        sentinel_password=options.get("sentinel_password") or None,
    )


def client(url: str, **options: Any) -> redis.Redis:
    """Return a client of the server to which the address leads; `options` are the library's."""
    if not is_sentinel(url):
        return redis.Redis.from_url(url, **options)
    address = sentinel_address(url)
    once = {"retry": Retry(NoBackoff(), 0)}
    sentinel = Sentinel(list(address.sentinels), sentinel_kwargs=address.sentinel_login() | once)  # type: ignore[no-untyped-call]
    found = _WaitingSentinelPool(address.master, sentinel, **address.login(), **options)  # type: ignore[no-untyped-call]
    return redis.Redis.from_pool(found)


class _WaitingSentinelPool(WaitingSentinelConnectionPool):
    """Connections to the master for code that waits; closing it lets go of the Sentinels too."""

    def disconnect(self, inuse_connections: bool = True) -> None:
        super().disconnect(inuse_connections)
        if inuse_connections:
            self.sentinel_manager.close()


class _SentinelPool(SentinelConnectionPool):
    """Connections to the master; closing it lets go of the Sentinels too."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()


class _BlockingSentinelPool(_SentinelPool, redis_asyncio.BlockingConnectionPool):
    """The same with a bound: who finds all connections taken waits for one."""


def pool(url: str, **options: Any) -> redis_asyncio.ConnectionPool:
    """Return a pool for one event loop of connections to where the address leads; `options` are the library's."""
    return _pool(url, redis_asyncio.ConnectionPool, _SentinelPool, options)


def blocking_pool(url: str, **options: Any) -> redis_asyncio.ConnectionPool:
    """Return the same, bounded by `max_connections`: who finds all taken waits `timeout` seconds for one."""
    return _pool(url, redis_asyncio.BlockingConnectionPool, _BlockingSentinelPool, options)


def _pool(
    url: str,
    direct: type[redis_asyncio.ConnectionPool],
    through_sentinels: type[_SentinelPool],
    options: dict[str, Any],
) -> redis_asyncio.ConnectionPool:
    if not is_sentinel(url):
        return direct.from_url(url, **options)
    address = sentinel_address(url)
    once = {"retry": AsyncRetry(NoBackoff(), 0)}
    sentinel = AsyncSentinel(list(address.sentinels), sentinel_kwargs=address.sentinel_login() | once)  # type: ignore[no-untyped-call]
    return through_sentinels(address.master, sentinel, **address.login(), **options)


def _host_and_port(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port or SENTINEL_PORT
    except ValueError:
        raise ValueError("names a Sentinel whose port is no number") from None
    if not host or parts.path:
        raise ValueError("must name its Sentinels as host:port,host:port,host:port")
    return host, port
