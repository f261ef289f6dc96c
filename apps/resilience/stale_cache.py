"""A cache that would rather serve an old answer, and say so, than none.

On failure: fresh → younger than a day (AGED) → older (STALE, to be flagged) → the error. One load per key is in flight,
here and in all processes that share the store. `freshness.py` holds the rules, `cache_refresh.py` renews one value.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from apps.resilience.cache_convoy import Convoy, Crew, Result
from apps.resilience.cache_failures import error_of
from apps.resilience.cache_ports import Cached, CacheStore, Entry, Kept, Loaded
from apps.resilience.cache_refresh import Load, Question, Refresh, Workshop, age_s_of, cached_of, failed, kind_of
from apps.resilience.cache_statistics import CacheCounts, CacheStatistics, by_kind
from apps.resilience.clock import Clock, SystemClock, chance
from apps.resilience.errors import KitError, StoreUnavailable
from apps.resilience.freshness import CacheRule, Grade, Standing, Step, next_step
from apps.resilience.hooks import CacheServed, Hook, tell
from apps.resilience.paced_slot import SlotAhead
from apps.resilience.singleflight import WAIT_S_MAX, Singleflight

logger = logging.getLogger(__name__)
UNKNOWN = Standing()
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
        self._convoys: set[asyncio.Task[None]] = set()
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
        refresh, step = self._refresh_of(key, load, rule, await self._shop.read(key), force=force)
        return await self._loaded(refresh) if step is Step.LOAD else self._at_hand(refresh, step)

    async def fetch_many(
        self, questions: Sequence[Question], *, crew: Crew, rule: CacheRule | None = None, force: bool = False
    ) -> None:
        """Answer all questions as `fetch` does, with few round trips for all of them; each one's `settle` is told.

        A load that the crew has no time to begin counts as one that failed. A bug of a loader is raised at once and nothing
        further is begun, as when the caller leaves; loads that are under way go on for those who joined them.
        """
        self._share_counts()
        try:
            found = await self._shop.read_many([question.key for question in questions])
        except StoreUnavailable as error:
            for question in questions:
                question.settle(error)
            return
        missing: list[tuple[Question, Refresh]] = []
        for question, kept in zip(questions, found, strict=True):
            one_rule = rule or self.rule_of(question.key)
            refresh, step = self._refresh_of(question.key, question.load, one_rule, kept, force=force)
            if step is Step.LOAD:
                missing.append((question, refresh))
            else:
                question.settle(self._outcome(partial(self._at_hand, refresh, step)))
        if missing:
            await self._load_many(missing, crew)

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
        for convoy in self._convoys:
            convoy.cancel()
        await asyncio.gather(*self._convoys, return_exceptions=True)
        await self._flight.close()
        if self._telling is not None:
            await asyncio.gather(self._telling, return_exceptions=True)
        await self._add_counts()
        await self._store.close()

    def _standing(self, kept: Kept) -> Standing:
        now_s, entry, failure = self._clock.now_s(), kept.entry, kept.failure
        if entry is None and failure is None:
            return UNKNOWN
        return Standing(
            age_s=age_s_of(entry, now_s=now_s) if entry else None,
            cost_s=entry.cost_s if entry else 0.0,
            failure_age_s=max(0.0, now_s - failure.failed_at_s) if failure else None,
            is_lasting=failure is not None and not failure.transient,
        )

    def _refresh_of(self, key: str, load: Load, rule: CacheRule, kept: Kept, *, force: bool) -> tuple[Refresh, Step]:
        """Return the refresh that the key may need, and what its reader does next."""
        step = Step.LOAD if force else next_step(self._standing(kept), rule, draw=self._draw())
        return Refresh(shop=self._shop, key=key, load=load, rule=rule, kept=kept, how=HOW.get(step, ())), step

    def _at_hand(self, refresh: Refresh, step: Step) -> Cached:
        """Serve what is kept, and renew it behind its reader if the step says so; raise a failure that is remembered."""
        cached = cached_of(refresh.kept, refresh.rule, now_s=self._clock.now_s())
        if cached is None:
            return self._refused(refresh.key, refresh.kept)
        if step in HOW:
            self._refresh_behind(refresh)
        return self._served(refresh.key, cached, is_hit=True)

    async def _loaded(self, refresh: Refresh) -> Cached:
        """Wait for the load; when it fails, serve what is kept."""
        self._counts.add(kind_of(refresh.key), "misses")
        seen_first = refresh.kept
        try:
            result: Result = await self._flight.do(refresh.key, refresh.work, seen=refresh.seen)
        except self._shop.failures as error:
            result = error
        return self._landed(refresh, seen_first, result)

    async def _load_many(self, missing: Sequence[tuple[Question, Refresh]], crew: Crew) -> None:
        """Wait for the loads of a batch."""
        waiting = {id(refresh): (question, refresh.kept) for question, refresh in missing}

        def land(refresh: Refresh, result: Result) -> None:
            question, seen_first = waiting[id(refresh)]
            question.settle(self._outcome(partial(self._landed, refresh, seen_first, result)))

        for _, refresh in missing:
            self._counts.add(kind_of(refresh.key), "misses")
        convoy = Convoy([refresh for _, refresh in missing], shop=self._shop, flight=self._flight, crew=crew, land=land)
        sailing = asyncio.ensure_future(convoy.sail())
        self._convoys.add(sailing)
        sailing.add_done_callback(self._convoys.discard)
        try:
            await asyncio.wait({sailing, convoy.bug}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            convoy.stop()
        (convoy.bug if convoy.bug.done() else sailing).result()

    def _landed(self, refresh: Refresh, seen_first: Kept, result: Result) -> Cached:
        """Serve what a load brought, or what was kept when it failed. Raises the failure when nothing was."""
        now_s = self._clock.now_s()
        kept = result if isinstance(result, Kept) else failed(seen_first, result, refresh.rule, now_s=now_s)
        cached = cached_of(kept, refresh.rule, now_s=now_s)
        if cached is not None:
            return self._served(refresh.key, cached, is_hit=False)
        raise KitError(f"a rule that keeps nothing cannot serve {refresh.key}") if isinstance(result, Kept) else result

    def _outcome(self, serve: Callable[[], Cached]) -> Cached | Exception:
        try:
            return serve()
        except self._shop.failures as error:
            return error

    def _refresh_behind(self, refresh: Refresh) -> None:
        """Start a refresh that nobody waits for; its failures are written down, a bug of its loader is logged."""
        task = self._flight.start(refresh.key, refresh.work, seen=refresh.seen)
        if task is not None:
            task.add_done_callback(lambda done: self._log_bug(refresh.key, done))

    def _log_bug(self, key: str, task: asyncio.Future[Kept]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, (*self._shop.failures, SlotAhead)):
            logger.error("the loader of %s broke behind its readers", key, exc_info=error)

    def _refused(self, key: str, kept: Kept) -> Cached:
        """Raise the remembered failure."""
        self._counts.add(kind_of(key), "negative_hits")
        if kept.failure is None:
            raise KitError(f"nothing is known of {key}")
        raise error_of(kept.failure)

    def _served(self, key: str, cached: Cached, *, is_hit: bool) -> Cached:
        names = GRADE_COUNTS[cached.grade]
        if is_hit or names:
            self._counts.add(kind_of(key), *(("hits",) if is_hit else ()), *names)
        if self._hooks:
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
