"""Asking vendors through the kit: questions run in the engine's loop, and the caller waits.

Never a call while a transaction is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import structlog

from apps.core.db import in_transaction
from apps.resilience import (
    AllSourcesFailed,
    BreakerState,
    Cached,
    CacheRule,
    CacheStatistics,
    Loaded,
    PaceState,
    PerfReport,
    SlotAhead,
    multi_source_fetch,
)
from apps.sources import registry
from apps.sources.calling import Journal, VendorCaller
from apps.sources.engine import Engine, engine, is_in_transaction, shut_down
from apps.sources.errands import present_errand
from apps.sources.errors import BadAnswer, QuotaSpent
from apps.sources.files import FileCaller
from apps.sources.ports import Caller, Gathered, Vendor

__all__ = [
    "Asking",
    "answered",
    "ask",
    "ask_all",
    "cache_figures",
    "fetch_kept",
    "forget_kept",
    "keep",
    "look",
    "peek",
    "performance",
    "reset",
    "set_paces",
    "shut_down",
]

T = TypeVar("T")
Load = Callable[[Cached | None], Awaitable[Loaded]]
MICROSECONDS = 1_000_000
CORRELATION_NAMES = ("correlation_id", "request_id", "task_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking(Generic[T]):
    """A question to one vendor, and the journal that notes how it goes."""

    vendor: Vendor
    journal: Journal
    question: Callable[[Caller], Awaitable[T]]


def ask(vendor: Vendor, journal: Journal, question: Callable[[Caller], Awaitable[T]]) -> T:
    """Let `question` call the vendor and return its answer. Raises the room's errors.

    Raises CallInTransaction, before anything is sent, when a database transaction is open.
    """
    home = engine()
    return _run(home, _put(home, Asking(vendor=vendor, journal=journal, question=question)))


def ask_all(askings: Sequence[Asking[T]], *, timeout_s: float) -> Mapping[str, T | Exception]:
    """Put a question to each of several vendors at once and return, by slug, what each answered or how it failed.

    Each is given `timeout_s`; a failure is a value and costs the others nothing.
    """
    home = engine()
    asks = {asking.vendor.slug: partial(_put, home, asking) for asking in askings}

    async def work() -> Mapping[str, T | Exception]:
        try:
            outcome = await multi_source_fetch(asks, mode="all", timeout_s=timeout_s)
        except AllSourcesFailed as error:
            return error.failures
        return {**outcome.values, **outcome.failures}

    return _run(home, work())


def answered(asking: Asking[T]) -> Awaitable[T]:
    """Put a question from inside of a loader that `fetch_kept` runs. Raises the room's errors."""
    return _put(engine(), asking)


def fetch_kept(key: str, load: Load, *, rule: CacheRule, force: bool) -> Cached:
    """Return the answer that is kept under `key`, loaded if it must be, and graded by its age.

    `force` loads whatever is kept. An older answer is served, with the reason, when the load fails; raises the load's
    error when there is none.
    """
    home = engine()
    return _run(home, home.cache.fetch(key, load, rule=rule, force=force))


def peek(key: str, rule: CacheRule) -> Cached | None:
    """Return the answer that is kept under `key`, graded by its age, or None."""
    home = engine()
    return home.run(home.cache.peek(key, rule=rule))


def keep(key: str, value: bytes, rule: CacheRule) -> None:
    """Keep an answer, in Redis for all processes and in this one for when Redis is gone."""
    home = engine()
    home.run(home.cache.put(key, Loaded(value), rule=rule))


def _run(home: Engine, work: Coroutine[Any, Any, T]) -> T:
    token = is_in_transaction.set(in_transaction())
    try:
        return home.run(work)
    finally:
        is_in_transaction.reset(token)


async def _put(home: Engine, asking: Asking[T]) -> T:
    """Put the question; a limit that the vendor states in a good answer slows everybody down like any other.

    A body that is not believed must not be kept: it came with a good status, and would be served until it is old.
    """
    try:
        answer = await asking.question(_caller(home, asking.vendor, asking.journal))
    except QuotaSpent as error:
        policy = registry.connection_of(asking.vendor).policy
        await home.client.slow_down(policy, retry_after_s=error.retry_after_s)
        raise
    except SlotAhead:
        if (errand := present_errand()) is not None:
            await errand.all_back()
        raise
    except BadAnswer:
        await _forget_answers(home, asking.vendor)
        raise
    if isinstance(answer, Gathered) and not answer.complete and not all(fault.key for fault in answer.rejected):
        await _forget_answers(home, asking.vendor)  # a fault without a key of its own is that of a whole body
    return answer


async def _forget_answers(home: Engine, vendor: Vendor) -> None:
    """Forget what is kept of a vendor: which of its bodies was at fault is not known here."""
    if vendor.cache is not None:
        await home.cache.clear(f"{vendor.slug}:*")


def _caller(home: Engine, vendor: Vendor, journal: Journal) -> Caller:
    connection = registry.connection_of(vendor)
    if registry.is_folder(connection.base_url):
        return FileCaller(base_url=connection.base_url, slug=vendor.slug, size_max=vendor.body_bytes_max, journal=journal)
    return VendorCaller(
        client=home.client, slug=vendor.slug, connection=connection, journal=journal, correlation_id=_correlation_id()
    )


def look(slugs: Sequence[str]) -> dict[str, tuple[BreakerState, PaceState]]:
    """Return the state of the breaker and the limiter of each vendor, asked for all at once."""
    home = engine()

    async def both(slug: str) -> tuple[BreakerState, PaceState]:
        return await home.client.look_breaker(slug), await home.client.look_pace(slug)

    async def all_of_them() -> list[tuple[BreakerState, PaceState]]:
        return list(await asyncio.gather(*(both(slug) for slug in slugs)))

    return dict(zip(slugs, home.run(all_of_them()), strict=True))


def set_paces(paces: Mapping[str, int | None]) -> None:
    """Set for each of these vendors how often a minute it may be called at most; None lifts that."""
    home = engine()

    async def work() -> None:
        await asyncio.gather(*(home.client.set_interval(slug, _interval_s(slug, paces[slug])) for slug in paces))

    home.run(work())


def _interval_s(slug: str, per_minute: int | None) -> float | None:
    """Return the published interval, stretched as the quota is cut down: it leaves as much free for late calls."""
    vendor = registry.vendor_of(slug)
    quota = registry.quota_of(vendor)
    if per_minute is None or per_minute >= quota:
        return None
    return registry.connection_of(vendor).pace.interval_us / MICROSECONDS * quota / per_minute


def reset(slug: str) -> None:
    """Close a vendor's breaker by hand and let its pace start afresh."""
    home = engine()
    home.run(home.client.reset(slug))


def cache_figures() -> dict[str, CacheStatistics]:
    """Return what the cache of answers did in all processes, by kind: a vendor's slug, or what was put together of several."""
    home = engine()
    return home.run(home.cache.shared_statistics())


def forget_kept(slug: str) -> int:
    """Forget every kept answer of a vendor and every screen, and return how many went."""
    home = engine()

    async def work() -> int:
        return await home.cache.clear(f"{slug}:*") + await home.cache.clear("screen:*")

    return home.run(work())


def performance() -> PerfReport:
    """Return how long attempts took and how they failed today, in all processes."""
    return engine().perf.report()


def _correlation_id() -> str:
    """Return the id that the log lines of this task or request carry, so that a vendor's log can be matched with ours."""
    bound = structlog.contextvars.get_contextvars()
    return next((str(bound[name]) for name in CORRELATION_NAMES if bound.get(name)), "")
