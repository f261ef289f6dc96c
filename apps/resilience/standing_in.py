"""What was kept stands in for what could not be fetched, and says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from apps.resilience.degrade import TIMEOUT_S, Ask, within
from apps.resilience.hooks import CacheStoodIn, Hook, tell
from apps.resilience.safely import Tell, message_of, safe_execute_async, write_log


class HasValue(Protocol):
    """What a fetch gives and a cache keeps: bytes, with whatever else the cache wants to know."""

    @property
    def value(self) -> bytes:
        """The bytes."""
        ...


class HasAge(HasValue, Protocol):
    """What a cache kept."""

    @property
    def age_s(self) -> float:
        """How long ago it was put there."""
        ...


L = TypeVar("L", bound=HasValue)
L_contra = TypeVar("L_contra", bound=HasValue, contravariant=True)


class KeepingCache(Protocol[L_contra]):
    """The part of a stale cache that standing in needs."""

    async def peek(self, key: str) -> HasAge | None:
        """Return what is kept, however old."""
        ...

    async def put(self, key: str, loaded: L_contra, /) -> object:
        """Keep it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What was served: fresh (`age_s` 0, no reason), or what was kept `age_s` ago because the fetch failed for `reason`."""

    value: bytes
    age_s: float = 0.0
    reason: str = ""

    @property
    def is_stale(self) -> bool:
        """Whether it came from the cache."""
        return bool(self.reason)


async def stale_cache_fallback(
    fetch: Ask[L],
    cache: KeepingCache[L],
    key: str,
    *,
    timeout_s: float = TIMEOUT_S,
    hooks: Sequence[Hook] = (),
) -> Served:
    """Fetch and keep; when that fails, serve what was kept, flagged with its age and the reason.

    Raises the fetch's error when nothing was kept. A cache that is away is told of and changes nothing else: what
    cannot be kept is served all the same.
    """
    log = _teller(hooks)
    about = {"entry": key}
    try:
        loaded = await within(fetch, timeout_s)
    except Exception as error:
        kept = await safe_execute_async(cache.peek, key, operation="peek", context=about, log=log)
        if kept is None:
            raise
        reason = f"{type(error).__name__}: {message_of(error)}"
        tell(hooks, CacheStoodIn(key=key, age_s=kept.age_s, reason=reason))
        return Served(value=kept.value, age_s=kept.age_s, reason=reason)
    await safe_execute_async(cache.put, key, loaded, operation="put", context=about, log=log)
    return Served(value=loaded.value)


def _teller(hooks: Sequence[Hook]) -> Tell:
    return (lambda failure: tell(hooks, failure)) if hooks else write_log
