"""A shared cache with a spare in this process, for when it is gone.

The spare mirrors what this process reads and writes, so it has something to serve when the shared store goes. When that
comes back, the spare's values are owed to it: each is preferred, and handed over, where it is newer. What is forgotten
or cleared during the outage is forgotten in this process alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from apps.resilience.cache_ports import CacheStore, Entry, EntryDamaged, Failure, Kept
from apps.resilience.clock import Clock
from apps.resilience.hooks import Hook
from apps.resilience.leases import Held, Lease, LeaseStore
from apps.resilience.stores.memory_cache import MemoryCache
from apps.resilience.stores.memory_leases import MemoryLeases
from apps.resilience.stores.reach import Reach

T = TypeVar("T")


class LeaseFallback:
    """Shared leases with a spare: while the shared store is away, each process leads for itself."""

    def __init__(self, shared: LeaseStore, spare: MemoryLeases, reach: Reach) -> None:
        self._shared = shared
        self._spare = spare
        self._reach = reach

    async def acquire(self, key: str, *, owner: str, lease_s: float) -> Lease | Held:
        """Take the lease of `key` if nobody has it; it is not re-entrant."""
        return await self._ask("acquire", lambda store: store.acquire(key, owner=owner, lease_s=lease_s))

    async def renew(self, lease: Lease) -> bool:
        """Start its `lease_s` anew. False when it was released, or has passed to somebody else."""
        return await self._ask("renew", lambda store: store.renew(lease))

    async def release(self, lease: Lease) -> bool:
        """Give it back, wherever it came from. False when it was not ours any more."""
        was_spares = await self._spare.release(lease)
        return await self._ask("release", lambda store: store.release(lease)) or was_spares

    async def _ask(self, verb: str, question: Callable[[LeaseStore], Awaitable[T]]) -> T:
        return (await self._reach.ask(verb, lambda: question(self._shared), lambda: question(self._spare)))[0]


class CacheFallback:
    """Asks `shared`; when it is away, `spare`. `reach` knows how often."""

    def __init__(self, shared: CacheStore, spare: MemoryCache, *, clock: Clock | None = None, hooks: Sequence[Hook] = ()) -> None:
        self._shared = shared
        self._spare = spare
        self._returns = 0
        self._owed: set[str] = set()
        self.reach = Reach(clock=clock, hooks=hooks)
        self._leases = LeaseFallback(shared.leases, spare.leases, self.reach)

    @property
    def leases(self) -> LeaseFallback:
        """The leases whose numbers fence the writes."""
        return self._leases

    async def read(self, key: str) -> Kept:
        """Return what is kept; the spare's value where it is newer. Raises EntryDamaged."""
        kept, is_shared = await self._ask("read", lambda: self._read_shared(key), lambda: self._read_spare(key))
        return await self._squared(key, kept) if is_shared else kept or Kept()

    async def write(self, key: str, entry: Entry) -> bool:
        """Keep the value in both, and forget the failure."""
        is_written, is_shared = await self._ask(
            "write", lambda: self._shared.write(key, entry), lambda: self._spare.write(key, entry)
        )
        if is_shared and is_written:
            self._owed.discard(key)
            await self._spare.write(key, entry)
        return is_written

    async def write_failure(self, key: str, failure: Failure) -> bool:
        """Remember the failure in both, beside the value."""
        is_written, is_shared = await self._ask(
            "write_failure",
            lambda: self._shared.write_failure(key, failure),
            lambda: self._spare.write_failure(key, failure),
        )
        if is_shared and is_written:
            await self._spare.write_failure(key, failure)
        return is_written

    async def forget(self, key: str) -> None:
        """Drop the key from both."""
        await self._ask("forget", lambda: self._shared.forget(key), lambda: self._spare.forget(key))
        self._owed.discard(key)
        await self._spare.forget(key)

    async def clear(self, pattern: str) -> int:
        """Drop all keys that match from both and return how many the shared store held, or the spare when it is alone."""
        count, is_shared = await self._ask("clear", lambda: self._shared.clear(pattern), lambda: self._spare.clear(pattern))
        if is_shared:
            await self._spare.clear(pattern)
        self._owed &= self._spare.kept_keys()
        return count

    async def add_counts(self, counts: Mapping[str, int]) -> None:
        """Add to the shared counters. Raises StoreUnavailable: whoever counts keeps the counts until they are taken."""
        await self._shared.add_counts(counts)

    async def read_counts(self) -> dict[str, int]:
        """Return the shared counters. Raises StoreUnavailable."""
        return await self._shared.read_counts()

    async def close(self) -> None:
        """Let go of connections."""
        await self._shared.close()
        await self._spare.close()

    async def _ask(self, verb: str, shared: Callable[[], Awaitable[T]], spare: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        answer, is_shared = await self.reach.ask(verb, shared, spare)
        if self.reach.returns > self._returns:
            self._returns = self.reach.returns
            self._owed = self._spare.kept_keys()
        return answer, is_shared

    async def _read_shared(self, key: str) -> Kept | None:
        """Return what the shared store keeps, or None for what it holds and cannot understand."""
        try:
            return await self._shared.read(key)
        except EntryDamaged:
            return None

    async def _read_spare(self, key: str) -> Kept | None:
        return self._spare.look(key)

    async def _squared(self, key: str, kept: Kept | None) -> Kept:
        """Bring the spare in line with the shared store, or the other way round for a value that is owed to it."""
        mine = self._spare.look(key)
        if key in self._owed:
            self._owed.discard(key)
            if mine.entry is not None and _is_newer(mine.entry, kept.entry if kept else None):
                await self.write(key, mine.entry)
                return mine
        if kept is None:
            raise EntryDamaged("what the shared store holds cannot be understood")
        if mine.fence != kept.fence:
            await self._mirror(key, kept)
        return kept

    async def _mirror(self, key: str, kept: Kept) -> None:
        await self._spare.forget(key)
        if kept.entry is not None:
            await self._spare.write(key, kept.entry)
        if kept.failure is not None:
            await self._spare.write_failure(key, kept.failure)


def _is_newer(mine: Entry, theirs: Entry | None) -> bool:
    return theirs is None or mine.stored_at_s > theirs.stored_at_s
