"""The kit in Django: one client a process, shared state in Redis, and never a call while a transaction is open.

The client is asynchronous and lives in an event loop of its own thread; `ask` hands a question to it and waits. It is
made on first use, so that a forked worker makes its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import structlog
from django.conf import settings
from prometheus_client import Histogram

from apps.core.db import in_transaction
from apps.core.errors import DeskError
from apps.resilience import (
    AllSourcesFailed,
    AttemptFinished,
    BreakerChanged,
    BreakerState,
    Cached,
    CacheFallback,
    CacheRule,
    Client,
    Event,
    FallbackStore,
    HostPort,
    Loaded,
    MemoryCache,
    MemoryStore,
    PaceState,
    RedisCache,
    RedisStore,
    Request,
    RetryScheduled,
    StaleCache,
    StoreFellBack,
    multi_source_fetch,
)
from apps.sources import registry
from apps.sources.calling import Journal, VendorCaller
from apps.sources.errors import CallInTransaction, QuotaSpent
from apps.sources.files import FileCaller
from apps.sources.ports import Caller, Vendor

T = TypeVar("T")
Load = Callable[[Cached | None], Awaitable[Loaded]]
EngineKey = tuple[int, str, frozenset[HostPort]]
log = structlog.get_logger(__name__)
CLOSE_TIMEOUT_S = 5.0
LIMITER_WAIT = Histogram(
    "rate_limiter_wait_seconds",
    "Time that an attempt waited for its slot.",
    ["source"],
    buckets=(0.001, 0.01, 0.1, 0.3, 1, 3, 10, 30, 60),
)
CORRELATION_NAMES = ("correlation_id", "request_id", "task_id")
# Told apart by process, since a thread does not survive a fork, and by the settings that the client is made of.
_engines: dict[EngineKey, Engine] = {}
_making = threading.Lock()
_is_in_transaction: ContextVar[bool] = ContextVar("is_in_transaction", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking(Generic[T]):
    """A question to one vendor, and the journal that notes how it goes."""

    vendor: Vendor
    journal: Journal
    question: Callable[[Caller], Awaitable[T]]


class Engine:
    """An event loop in a thread of its own with the client and the cache of answers that live in it."""

    def __init__(self, redis_url: str, allowed_hosts: frozenset[HostPort]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sources-http", daemon=True)
        self._thread.start()
        self.client = self.run(_make_client(redis_url, allowed_hosts))
        self.cache = self.run(_make_cache(redis_url))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the loop and wait for its result; what interrupts the waiting cancels the work."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
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


def ask(vendor: Vendor, journal: Journal, question: Callable[[Caller], Awaitable[T]]) -> T:
    """Let `question` call the vendor and return its answer. Raises the room's errors.

    Raises CallInTransaction, before anything is sent, when a database transaction is open.
    """
    engine = _engine()
    return _run(engine, _put(engine, Asking(vendor=vendor, journal=journal, question=question)))


def ask_all(askings: Sequence[Asking[T]], *, timeout_s: float) -> Mapping[str, T | Exception]:
    """Put a question to each of several vendors at once and return, by slug, what each answered or how it failed.

    Each is given `timeout_s`; a failure is a value and costs the others nothing.
    """
    engine = _engine()
    asks = {asking.vendor.slug: partial(_put, engine, asking) for asking in askings}

    async def work() -> Mapping[str, T | Exception]:
        try:
            outcome = await multi_source_fetch(asks, mode="all", timeout_s=timeout_s)
        except AllSourcesFailed as error:
            return error.failures
        return {**outcome.values, **outcome.failures}

    return _run(engine, work())


def answered(asking: Asking[T]) -> Awaitable[T]:
    """Put a question from inside of a loader that `fetch_kept` runs. Raises the room's errors."""
    return _put(_engine(), asking)


def fetch_kept(key: str, load: Load, *, rule: CacheRule, force: bool) -> Cached:
    """Return the answer that is kept under `key`, loaded if it must be, and graded by its age.

    `force` loads whatever is kept. An older answer is served, with the reason, when the load fails; raises the load's
    error when there is none.
    """
    engine = _engine()
    return _run(engine, engine.cache.fetch(key, load, rule=rule, force=force))


def peek(key: str, rule: CacheRule) -> Cached | None:
    """Return the answer that is kept under `key`, graded by its age, or None."""
    engine = _engine()
    return engine.run(engine.cache.peek(key, rule=rule))


def keep(key: str, value: bytes, rule: CacheRule) -> None:
    """Keep an answer, in Redis for all processes and in this one for when Redis is gone."""
    engine = _engine()
    engine.run(engine.cache.put(key, Loaded(value), rule=rule))


def _run(engine: Engine, work: Coroutine[Any, Any, T]) -> T:
    # The loop's thread has no database connection of its own: what holds here travels with the context.
    token = _is_in_transaction.set(in_transaction())
    try:
        return engine.run(work)
    finally:
        _is_in_transaction.reset(token)


async def _put(engine: Engine, asking: Asking[T]) -> T:
    """Put the question; a limit that the vendor states in a good answer slows everybody down like any other."""
    try:
        return await asking.question(_caller(engine, asking.vendor, asking.journal))
    except QuotaSpent as error:
        policy = registry.connection_of(asking.vendor).policy
        await engine.client.slow_down(policy, retry_after_s=error.retry_after_s)
        raise


def _caller(engine: Engine, vendor: Vendor, journal: Journal) -> Caller:
    connection = registry.connection_of(vendor)
    if registry.is_folder(connection.base_url):
        return FileCaller(base_url=connection.base_url, slug=vendor.slug, size_max=vendor.body_bytes_max, journal=journal)
    return VendorCaller(
        client=engine.client, slug=vendor.slug, connection=connection, journal=journal, correlation_id=_correlation_id()
    )


def look(slugs: Sequence[str]) -> dict[str, tuple[BreakerState, PaceState]]:
    """Return the state of the breaker and the limiter of each vendor, asked for all at once."""
    engine = _engine()

    async def both(slug: str) -> tuple[BreakerState, PaceState]:
        return await engine.client.look_breaker(slug), await engine.client.look_pace(slug)

    async def all_of_them() -> list[tuple[BreakerState, PaceState]]:
        return list(await asyncio.gather(*(both(slug) for slug in slugs)))

    return dict(zip(slugs, engine.run(all_of_them()), strict=True))


def reset(slug: str) -> None:
    """Close a vendor's breaker by hand and let its pace start afresh."""
    engine = _engine()
    engine.run(engine.client.reset(slug))


def shut_down() -> None:
    """Close the clients of this process; the next question makes a new one."""
    with _making:
        for key in [key for key in _engines if key[0] == os.getpid()]:
            _engines.pop(key).stop()


def refuse_inside_transaction(request: Request) -> None:
    """Refuse a call while a transaction is open: it would hold locks for as long as the vendor likes."""
    if _is_in_transaction.get():
        raise CallInTransaction(f"{request.operation} was about to call out while a transaction was open")


def _correlation_id() -> str:
    """Return the id that the log lines of this task or request carry, so that a vendor's log can be matched with ours."""
    bound = structlog.contextvars.get_contextvars()
    return next((str(bound[name]) for name in CORRELATION_NAMES if bound.get(name)), "")


def _engine() -> Engine:
    key = (os.getpid(), settings.KIT_REDIS_URL, registry.configured_hosts())
    with _making:
        if key not in _engines:
            _engines[key] = Engine(key[1], key[2])
        return _engines[key]


async def _make_client(redis_url: str, allowed_hosts: frozenset[HostPort]) -> Client:
    hooks = (_tell_log, _measure)
    store = FallbackStore(RedisStore(redis_url), MemoryStore(), hooks=hooks)
    return Client(store=store, hooks=hooks, before_request=(refuse_inside_transaction,), allowed_hosts=allowed_hosts)


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


atexit.register(shut_down)
