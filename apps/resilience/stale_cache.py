"""A cache that would rather serve an old answer, and say so, than none.

On failure: fresh → younger than a day (AGED) → older (STALE, to be flagged) → the error. One load per key is in flight,
here and in all processes that share the store. `freshness.py` holds the rules, `cache_refresh.py` renews one value.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from apps.resilience.cache_failures import error_of
from apps.resilience.cache_ports import Cached, CacheStore, Entry, Kept, Loaded
from apps.resilience.cache_refresh import Load, Refresh, Workshop, age_s_of, cached_of, failed, kind_of
from apps.resilience.cache_statistics import CacheCounts, CacheStatistics, by_kind
from apps.resilience.clock import Clock, SystemClock, chance
from apps.resilience.errors import KitError, StoreUnavailable
from apps.resilience.freshness import CacheRule, Grade, Standing, Step, next_step
from apps.resilience.hooks import CacheServed, Hook, tell
from apps.resilience.singleflight import WAIT_S_MAX, Singleflight

logger = logging.getLogger(__name__)
A_MINUTE = CacheRule(fresh_s=60)
TELL_EVERY_S = 5.0  # how often a process adds its counts to the shared ones
HOW = {Step.SERVE_EARLY: ("behind_refreshes", "early_refreshes"), Step.SERVE_BEHIND: ("behind_refreshes",)}
GRADE_COUNTS: Mapping[Grade, tuple[str, ...]] = {
    Grade.FRESH: (),
    Grade.AGED: ("aged_served",),
    Grade.STALE: ("stale_served",),
}


class StaleCache:
    """Keeps what loaders bring, by keys of the form "kind:rest". For one event loop; close it at the end.

    `rules` are the ages per kind. `failures` are errors, beside the kit's own, that mean that a load failed; any other
    error of a loader is a bug and passes through. `wait_s_max` bounds the wait for a load of another process; give it more
    than a loader takes.
    """

    def __init__(
        self,
        *,
        store: CacheStore,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
        draw: Callable[[], float] = chance,
        rules: Mapping[str, CacheRule] | None = None,
        default_rule: CacheRule = A_MINUTE,
        failures: tuple[type[Exception], ...] = (),
        wait_s_max: float = WAIT_S_MAX,
    ) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._hooks = tuple(hooks)
        self._draw = draw
        self._rules = dict(rules or {})
        self._default_rule = default_rule
        self._counts = CacheCounts()
        self._shop = Workshop(
            store=store, clock=self._clock, hooks=self._hooks, counts=self._counts, failures=(KitError, *failures)
        )
        self._flight: Singleflight[Kept] = Singleflight(store.leases, clock=self._clock, wait_s_max=wait_s_max)
        self._told_at_s = self._clock.monotonic_s()
        self._telling: asyncio.Task[None] | None = None

    async def fetch(self, key: str, load: Load, *, rule: CacheRule | None = None, force: bool = False) -> Cached:
        """Return the value of `key`, loaded if it must be.

        `load` is given the value that is kept, or None, so that it can ask whether it still holds. `force` loads
        whatever is kept, or shares the load that is under way, and falls back like any failed load. Raises the loader's
        error when nothing is kept.
        """
        self._share_counts()
        rule = rule or self.rule_of(key)
        kept = await self._shop.read(key)
        step = Step.LOAD if force else next_step(self._standing(kept), rule, draw=self._draw())
        refresh = Refresh(shop=self._shop, key=key, load=load, rule=rule, kept=kept, how=HOW.get(step, ()))
        if step is Step.LOAD:
            return await self._loaded(refresh)
        cached = cached_of(kept, rule, now_s=self._clock.now_s())
        if cached is None:
            return self._refused(key, kept)
        if step in HOW:
            self._refresh_behind(refresh)
        return self._served(key, cached, is_hit=True)

    async def peek(self, key: str, *, rule: CacheRule | None = None) -> Cached | None:
        """Return what is kept, graded by its age, without loading or counting anything."""
        return cached_of(await self._shop.read(key), rule or self.rule_of(key), now_s=self._clock.now_s())

    async def put(self, key: str, loaded: Loaded, *, rule: CacheRule | None = None) -> None:
        """Keep a value that came another way; it wins over a load that is under way."""
        kept_s = (rule or self.rule_of(key)).kept_s
        entry = Entry(value=loaded.value, meta=dict(loaded.meta), stored_at_s=self._clock.now_s(), kept_s=kept_s)
        await self._store.write(key, entry)

    async def forget(self, key: str) -> None:
        """Drop the value and the remembered failure of `key`."""
        await self._store.forget(key)

    async def clear(self, pattern: str) -> int:
        """Drop all keys that match and return how many; `*` is any text, `?` one byte, all else stands for itself."""
        return await self._store.clear(pattern)

    def rule_of(self, key: str) -> CacheRule:
        """Return the rule of the key's kind."""
        return self._rules.get(kind_of(key), self._default_rule)

    def statistics(self) -> dict[str, CacheStatistics]:
        """Return the counts of this process by kind."""
        return self._counts.own()

    async def shared_statistics(self) -> dict[str, CacheStatistics]:
        """Return the counts of all processes by kind; another's may be a few seconds late. Raises StoreUnavailable."""
        await self._add_counts()
        return by_kind(await self._store.read_counts())

    async def close(self) -> None:
        """Break off refreshes, hand in the counts and let go of the store."""
        await self._flight.close()
        if self._telling is not None:
            await asyncio.gather(self._telling, return_exceptions=True)
        await self._add_counts()
        await self._store.close()

    def _standing(self, kept: Kept) -> Standing:
        now_s, entry, failure = self._clock.now_s(), kept.entry, kept.failure
        return Standing(
            age_s=age_s_of(entry, now_s=now_s) if entry else None,
            cost_s=entry.cost_s if entry else 0.0,
            failure_age_s=max(0.0, now_s - failure.failed_at_s) if failure else None,
            is_lasting=failure is not None and not failure.transient,
        )

    async def _loaded(self, refresh: Refresh) -> Cached:
        """Wait for the load; when it fails, serve what is kept."""
        self._counts.add(kind_of(refresh.key), "misses")
        seen_first = refresh.kept
        try:
            kept = await self._flight.do(refresh.key, refresh.work, seen=refresh.seen)
        except self._shop.failures as error:
            kept = failed(seen_first, error, refresh.rule, now_s=self._clock.now_s())
            cached = cached_of(kept, refresh.rule, now_s=self._clock.now_s())
            if cached is None:
                raise
            return self._served(refresh.key, cached, is_hit=False)
        cached = cached_of(kept, refresh.rule, now_s=self._clock.now_s())
        if cached is None:
            raise KitError(f"a rule that keeps nothing cannot serve {refresh.key}")
        return self._served(refresh.key, cached, is_hit=False)

    def _refresh_behind(self, refresh: Refresh) -> None:
        """Start a refresh that nobody waits for; its failures are written down, a bug of its loader is logged."""
        task = self._flight.start(refresh.key, refresh.work, seen=refresh.seen)
        if task is not None:
            task.add_done_callback(lambda done: self._log_bug(refresh.key, done))

    def _log_bug(self, key: str, task: asyncio.Task[Kept]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, self._shop.failures):
            logger.error("the loader of %s broke behind its readers", key, exc_info=error)

    def _refused(self, key: str, kept: Kept) -> Cached:
        """Raise the remembered failure."""
        self._counts.add(kind_of(key), "negative_hits")
        if kept.failure is None:
            raise KitError(f"nothing is known of {key}")
        raise error_of(kept.failure)

    def _served(self, key: str, cached: Cached, *, is_hit: bool) -> Cached:
        names = ("hits",) if is_hit else ()
        self._counts.add(kind_of(key), *names, *GRADE_COUNTS[cached.grade])
        tell(self._hooks, CacheServed(key=key, kind=kind_of(key), grade=cached.grade, is_hit=is_hit, age_s=cached.age_s))
        return cached

    def _share_counts(self) -> None:
        """Hand in the counts behind a reader when it is time."""
        if self._clock.monotonic_s() - self._told_at_s >= TELL_EVERY_S and (self._telling is None or self._telling.done()):
            self._told_at_s = self._clock.monotonic_s()
            self._telling = asyncio.ensure_future(self._add_counts())

    async def _add_counts(self) -> None:
        pending = self._counts.take_pending()
        try:
            await self._store.add_counts(pending)
        except StoreUnavailable:
            self._counts.put_back(pending)
