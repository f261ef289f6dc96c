"""What a process needs to call out, made once: an event loop in a thread, and in it the kit's client, cache and monitor.

An engine is made on first use, so that a forked worker makes its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import wait
from contextvars import ContextVar
from typing import Any, TypeVar

import structlog
from django.conf import settings
from prometheus_client import Histogram

from apps.core.db import let_go
from apps.core.errors import DeskError
from apps.resilience import (
    AttemptFinished,
    BreakerChanged,
    CacheFallback,
    Client,
    Event,
    FallbackStore,
    HostPort,
    MemoryCache,
    MemoryStore,
    PerfMonitor,
    RedisCache,
    RedisFigures,
    RedisStore,
    Request,
    RetryScheduled,
    StaleCache,
    StoreFellBack,
)
from apps.sources import registry
from apps.sources.errors import CallInTransaction

T = TypeVar("T")
EngineKey = tuple[int, str, frozenset[HostPort]]
log = structlog.get_logger(__name__)
CLOSE_TIMEOUT_S = 5.0
LONG_WAIT_S = 1.0
LIMITER_WAIT = Histogram(
    "rate_limiter_wait_seconds",
    "Time that an attempt waited for its slot.",
    ["source"],
    buckets=(0.001, 0.01, 0.1, 0.3, 1, 3, 10, 30, 60),
)
# The loop's thread has no database connection of its own: what holds in the caller's travels with the context.
is_in_transaction: ContextVar[bool] = ContextVar("is_in_transaction", default=False)
# Told apart by process, since a thread does not survive a fork, and by the settings that the client is made of.
_engines: dict[EngineKey, Engine] = {}
_making = threading.Lock()


class Engine:
    """An event loop in a thread of its own with the client and the cache of answers that live in it."""

    def __init__(self, redis_url: str, allowed_hosts: frozenset[HostPort]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sources-http", daemon=True)
        self._thread.start()
        self.perf = PerfMonitor(store=RedisFigures(redis_url), hooks=(_tell_log,))
        self.cache = self.run(_make_cache(redis_url))
        self.client = self.run(self._make_client(redis_url, allowed_hosts))

    async def _make_client(self, redis_url: str, allowed_hosts: frozenset[HostPort]) -> Client:
        hooks = (*HOOKS, self.perf)
        shared, spare = RedisStore(redis_url), MemoryStore()
        store = FallbackStore(shared, spare, hooks=hooks, processes_known=settings.KIT_PROCESSES)
        before = (refuse_inside_transaction,)
        return Client(store=store, cache=self.cache, hooks=hooks, before_request=before, allowed_hosts=allowed_hosts)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the loop and wait for its result; what interrupts the waiting cancels the work.

        A wait that becomes long holds no database connection: the caller's is closed after a second.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            if not wait([future], LONG_WAIT_S).done:
                let_go()
            return future.result()
        finally:
            future.cancel()

    def stop(self) -> None:
        """Close the client's connections and end the thread."""
        for closing in (self.cache.close(), self.client.close()):
            asyncio.run_coroutine_threadsafe(closing, self._loop).result(CLOSE_TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_TIMEOUT_S)
        self._loop.close()
        self.perf.close()


def engine() -> Engine:
    """Return this process's engine, made now if there is none."""
    key = (os.getpid(), settings.KIT_REDIS_URL, registry.configured_hosts())
    with _making:
        if key not in _engines:
            _engines[key] = Engine(key[1], key[2])
        return _engines[key]


def shut_down() -> None:
    """Close the clients of this process; the next question makes a new one."""
    with _making:
        for key in [key for key in _engines if key[0] == os.getpid()]:
            _engines.pop(key).stop()


def refuse_inside_transaction(request: Request) -> None:
    """Refuse a call while a transaction is open: it would hold locks for as long as the vendor likes."""
    if is_in_transaction.get():
        raise CallInTransaction(f"{request.operation} was about to call out while a transaction was open")


async def _make_cache(redis_url: str) -> StaleCache:
    hooks = (_tell_log,)
    return StaleCache(store=CacheFallback(RedisCache(redis_url), MemoryCache(), hooks=hooks), hooks=hooks, failures=(DeskError,))


def _tell_log(event: Event) -> None:
    """Write the kit's news that an operator should see; single attempts are in the fetch log."""
    if isinstance(event, BreakerChanged):
        log.warning("breaker_changed", source=event.key, phase=event.phase.value)
    elif isinstance(event, RetryScheduled):
        log.info("retry_scheduled", source=event.key, operation=event.operation, reason=event.reason, delay_s=event.delay_s)
    elif isinstance(event, StoreFellBack) and event.count & (event.count - 1) == 0:
        # At powers of two: the first is news, the thousandth is not, and it never falls silent.
        log.warning("kit_store_fell_back", verb=event.verb, count=event.count)


def _measure(event: Event) -> None:
    """Add what an attempt waited for the limiter, also when it waited for nothing: the share of waits counts."""
    if isinstance(event, AttemptFinished):
        LIMITER_WAIT.labels(source=event.key).observe(event.wait_s)


HOOKS = (_tell_log, _measure)
atexit.register(shut_down)
