"""The operator's own PostgreSQL and Redis, asked before anything is started: who cannot be used is named in one line."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import psycopg
from psycopg.conninfo import make_conninfo
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError
from redis.retry import Retry

from apps.monitoring.queues import may_evict_messages
from apps.resilience.stores.redis_servers import client, is_sentinel, sentinel_address
from project.env import WrongSetting
from project.local.clock import monotonic_s
from project.local.preflight import CannotStart
from project.redis_addresses import checked
from tasks.broker import evicting_line

CONNECT_TIMEOUT_S = 3
GIVE_UP_S = 6.0  # a name that nobody resolves has no time-out of its own


def check_servers(database_url: str, redis_url: str) -> None:
    """Refuse given servers that cannot be used, both asked at once; an empty address is not asked. Raises CannotStart."""
    wanted = ((_check_postgres, database_url), (_check_redis, redis_url))
    questions = [_Question(check, url) for check, url in wanted if url]
    deadline_s = monotonic_s() + GIVE_UP_S
    problems = [problem for problem in (question.problem(deadline_s) for question in questions) if problem]
    if problems:
        raise CannotStart("; ".join(problems))


class _Question(threading.Thread):
    """One check on a thread that nobody waits for at the end of the process."""

    def __init__(self, check: Callable[[str], None], url: str) -> None:
        super().__init__(daemon=True)
        self._check, self._url = check, url
        self._problem = f"{'DATABASE_URL' if check is _check_postgres else 'REDIS_URL'}: no answer within {GIVE_UP_S:g} s"
        self.start()

    def run(self) -> None:
        try:
            self._check(self._url)
        except (CannotStart, WrongSetting) as error:
            self._problem = str(error)
        else:
            self._problem = ""

    def problem(self, deadline_s: float) -> str:
        """Return what is wrong, or nothing; waits for the answer until the deadline."""
        self.join(max(0.0, deadline_s - monotonic_s()))
        return self._problem


def _check_postgres(url: str) -> None:
    parameters = _postgres_parameters(url)
    place = f"{parameters['host'] or 'the local socket'}:{parameters['port']}, database {parameters['dbname']}"
    try:
        conninfo = make_conninfo(**parameters | {"connect_timeout": CONNECT_TIMEOUT_S})
        psycopg.connect(conninfo).close()
    except psycopg.Error as error:
        raise CannotStart(f"DATABASE_URL: PostgreSQL at {place}: {_postgres_reason(str(error))}") from None


def _postgres_parameters(url: str) -> dict[str, Any]:
    """Return what libpq needs of the address as the settings read it; what only Django knows is left out."""
    try:
        database = dj_database_url.parse(url)
    except ValueError as error:  # its text may hold the password
        raise CannotStart(f"DATABASE_URL cannot be read: {type(error).__name__}") from None
    if database["ENGINE"] != "django.db.backends.postgresql":
        raise CannotStart("DATABASE_URL must be a postgres:// address")
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    options = {name: value for name, value in database.get("OPTIONS", {}).items() if name in known}
    return options | {
        "host": database["HOST"],
        "port": database["PORT"] or 5432,
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
    }


def _postgres_reason(text: str) -> str:
    """Return the first reason of libpq's answer, which tells of each address of a host in lines of its own."""
    lines = text.splitlines() or ["no reason given"]
    told = next((line for line in lines if "failed: " in line), lines[0])
    return told.rpartition("failed: ")[2].strip()


def _check_redis(url: str) -> None:
    place = _redis_place(checked("REDIS_URL", url))
    try:
        with client(
            url, socket_timeout=CONNECT_TIMEOUT_S, socket_connect_timeout=CONNECT_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        ) as server:
            server.ping()
            with contextlib.suppress(NoPermissionError):  # who may not ask starts, as a worker does
                _refuse_evicting(place, str(server.info("memory").get("maxmemory_policy", "")))
    except (RedisError, OSError) as error:
        raise CannotStart(f"REDIS_URL: Redis at {place}: {_redis_reason(error)}") from None
    except (ValueError, TypeError) as error:  # an option of the address that the library does not take
        raise CannotStart(f"REDIS_URL cannot be read: {type(error).__name__}") from None


def _redis_reason(error: Exception) -> str:
    """Return what the library says, without the place and without its description of each Sentinel."""
    text = str(error).partition(" : <")[0] or type(error).__name__
    _, says_place, rest = text.partition("connecting to ")
    return (rest.partition(". ")[2] if says_place else "") or text


def _refuse_evicting(place: str, policy: str) -> None:
    if may_evict_messages(policy):
        raise CannotStart(f"REDIS_URL: Redis at {place}: {evicting_line(policy)}")


def _redis_place(url: str) -> str:
    if is_sentinel(url):
        address = sentinel_address(url)
        sentinels = ", ".join(f"{host}:{port}" for host, port in address.sentinels)
        return f"master {address.master} under the Sentinels {sentinels}, database {address.database}"
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}, database {parts.path.strip('/') or 0}"
