"""Renewing one kept value: under a lease, by one process, with the outcome written down for all the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from apps.resilience.cache_failures import error_of, failure_of
from apps.resilience.cache_ports import Cached, CacheStore, Entry, EntryDamaged, Found, Kept, Loaded, NotModified, Record
from apps.resilience.cache_statistics import CacheCounts
from apps.resilience.clock import Clock
from apps.resilience.errors import BadBody, StoreUnavailable
from apps.resilience.freshness import CacheRule, grade_of
from apps.resilience.hooks import CacheRefreshed, Hook, tell
from apps.resilience.leases import Lease

AHEAD_S_MAX = 60.0
Load = Callable[[Cached | None], Awaitable[Loaded | NotModified]]


def kind_of(key: str) -> str:
    """Return the kind of a key: the part before the first colon."""
    return key.partition(":")[0]


def age_s_of(entry: Entry, *, now_s: float) -> float | None:
    """Return the age of the value. Another machine's clock may be a little ahead; a value from far ahead has no age."""
    age_s = now_s - entry.stored_at_s
    return None if age_s < -AHEAD_S_MAX else max(0.0, age_s)


def cached_of(kept: Kept, rule: CacheRule, *, now_s: float) -> Cached | None:
    """Return the kept value as it is served now, or None when there is none that is young enough to be served at all."""
    entry = kept.entry
    age_s = None if entry is None else age_s_of(entry, now_s=now_s)
    if entry is None or age_s is None or age_s >= rule.kept_s:
        return None
    return Cached(
        value=entry.value,
        meta=entry.meta,
        stored_at_s=entry.stored_at_s,
        age_s=age_s,
        grade=grade_of(age_s, rule, has_failed=kept.failure is not None),
        reason=kept.failure.reason if kept.failure else "",
    )


@dataclass(frozen=True, slots=True)
class Brought:
    """What one load brought: the record to write down under its key, and the value or the error for those who wait."""

    key: str
    record: Record
    result: Kept | Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What every refresh needs. `failures` are the errors of a loader that are failures of the vendor and not bugs."""

    store: CacheStore
    clock: Clock
    hooks: Sequence[Hook]
    counts: CacheCounts
    failures: tuple[type[Exception], ...]

    async def read(self, key: str) -> Kept:
        """Return what is kept; what cannot be understood is counted and taken for nothing."""
        try:
            return await self.store.read(key)
        except EntryDamaged as damage:
            return self.understood(key, damage)

    async def read_many(self, keys: Sequence[str]) -> list[Kept]:
        """Return what is kept under each key, as `read` does."""
        found = await self.store.read_many(keys)
        return [self.understood(key, one) for key, one in zip(keys, found, strict=True)]

    async def write_down(self, brought: Sequence[Brought], *, give_back: bool = False) -> None:
        """Write the outcomes down, and give their leases back; what was loaded is good even when the store does not take it."""
        if not brought:
            return
        try:
            told = await self.store.write_many([(one.key, one.record) for one in brought], give_back=give_back)
        except StoreUnavailable:
            told = [False] * len(brought)
        for one, is_written in zip(brought, told, strict=True):
            if not is_written:
                self.counts.add(kind_of(one.key), "refused_writes")

    def understood(self, key: str, found: Found) -> Kept:
        """Return what was found, nothing for what cannot be understood."""
        if isinstance(found, Kept):
            return found
        self.counts.add(kind_of(key), "damaged")
        return Kept()


@dataclass(slots=True, kw_only=True)
class Refresh:
    """One refresh of one key. `kept` is what its reader saw; an outcome with a higher fence was brought by somebody else."""

    shop: Workshop
    key: str
    load: Load
    rule: CacheRule
    kept: Kept
    how: tuple[str, ...] = ()  # further counts of this refresh: early, behind

    async def seen(self) -> Kept | None:
        """Return what another process has brought since the reader looked; raise what it failed with."""
        return self.recognised(await self.shop.read(self.key))

    def recognised(self, found: Kept) -> Kept | None:
        """Return what is kept now if it was brought since the reader looked; raise the failure that was."""
        before, self.kept = self.kept, found
        if found.entry is not None and found.entry.fence > before.fence:
            return found
        if found.failure is not None and found.failure.fence > before.fence:
            raise error_of(found.failure)
        return None

    async def work(self, lease: Lease) -> Kept:
        """Load, write down the outcome under the lease's fence, and return the value or raise the failure."""
        brought = await self.bring(lease)
        await self.shop.write_down([brought])
        if isinstance(brought.result, Exception):
            raise brought.result
        return brought.result

    async def bring(self, lease: Lease) -> Brought:
        """Load, and return the outcome, to be written down under the lease's fence."""
        clock, kind = self.shop.clock, kind_of(self.key)
        started_s = clock.monotonic_s()
        self.shop.counts.add(kind, "refreshes", *self.how)
        try:
            loaded, outcome = await self._loaded()
        except self.shop.failures as error:
            self.shop.counts.add(kind, "errors")
            failure = failure_of(error, self.rule, at_s=clock.now_s(), fence=lease.fence)
            self._tell(failure.code, clock.monotonic_s() - started_s)
            return Brought(self.key, failure, error)
        cost_s = clock.monotonic_s() - started_s
        entry = Entry(
            value=loaded.value,
            meta=dict(loaded.meta),
            stored_at_s=clock.now_s(),
            kept_s=self.rule.kept_s,
            cost_s=cost_s,
            fence=lease.fence,
        )
        self._tell(outcome, cost_s)
        return Brought(self.key, entry, Kept(entry=entry))

    async def _loaded(self) -> tuple[Loaded, str]:
        """Call the loader; an answer that nothing changed is the old value again."""
        previous = cached_of(self.kept, self.rule, now_s=self.shop.clock.now_s())
        loaded = await self.load(previous)
        if isinstance(loaded, Loaded):
            return loaded, "ok"
        if previous is None:
            raise BadBody("the answer says that nothing changed, but nothing is kept")
        return Loaded(previous.value, {**previous.meta, **loaded.meta}), "not-modified"

    def _tell(self, outcome: str, duration_s: float) -> None:
        if not self.shop.hooks:
            return
        refreshed = CacheRefreshed(
            key=self.key, kind=kind_of(self.key), outcome=outcome, duration_s=duration_s, is_behind=bool(self.how)
        )
        tell(self.shop.hooks, refreshed)


def failed(kept: Kept, error: Exception, rule: CacheRule, *, now_s: float) -> Kept:
    """Return what is kept with this failure beside it."""
    return replace(kept, failure=failure_of(error, rule, at_s=now_s))


class Question(Protocol):
    """One of many keys to fetch: how its value is loaded, and who is told the value, or the failure, once it is known."""

    @property
    def key(self) -> str:
        """The key."""
        ...

    async def load(self, kept: Cached | None) -> Loaded | NotModified:
        """Bring the value; `kept` is the one at hand."""
        ...

    def settle(self, outcome: Cached | Exception) -> None:
        """Take the value or the failure."""
        ...
