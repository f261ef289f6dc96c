"""A shared cache with a spare in this process, for when it is gone.

The spare mirrors what this process reads and writes, so it has something to serve when the shared store goes. When that
comes back, the spare's values are owed to it: each is preferred, and handed over, where it is newer. What is forgotten
or cleared during the outage is forgotten in this process alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from apps.resilience.cache_ports import CacheStore, Claim, Entry, EntryDamaged, Failure, Found, Kept, Record
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

    async def renew_many(self, leases: Sequence[Lease]) -> list[bool]:
        """Start the time of each anew that is still ours."""
        return await self._ask("renew_many", lambda store: store.renew_many(leases))

    async def release_many(self, leases: Sequence[Lease]) -> list[bool]:
        """Give them back, wherever they came from."""
        were_spares = await self._spare.release_many(leases)
        told = await self._ask("release_many", lambda store: store.release_many(leases))
        return [was_spares or was_ours for was_spares, was_ours in zip(were_spares, told, strict=True)]

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
        (found,) = await self._look("read", [key], lambda: self._read_shared(key))
        if isinstance(found, EntryDamaged):
            raise found
        return found

    async def read_many(self, keys: Sequence[str]) -> list[Found]:
        """Return what is kept under each key; the spare's value where it is newer."""
        return await self._look("read_many", keys, lambda: self._shared.read_many(keys))

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

    async def claim_many(self, known: Sequence[tuple[str, int]], *, owner: str, lease_s: float) -> list[Claim | Held]:
        """Take the leases where we can, and look at what is kept there; what the spare is owed is squared by readers."""
        told, _ = await self._ask(
            "claim_many",
            lambda: self._shared.claim_many(known, owner=owner, lease_s=lease_s),
            lambda: self._spare.claim_many(known, owner=owner, lease_s=lease_s),
        )
        return told

    async def write_many(self, records: Sequence[tuple[str, Record]], *, give_back: bool = False) -> list[bool]:
        """Keep the values and remember the failures in both; `give_back` ends the leases wherever they came from."""
        told, is_shared = await self._ask(
            "write_many",
            lambda: self._shared.write_many(records, give_back=give_back),
            lambda: self._spare.write_many(records, give_back=give_back),
        )
        if not is_shared:
            return told
        written = [record for record, is_written in zip(records, told, strict=True) if is_written]
        if self._owed:
            self._owed.difference_update(key for key, record in written if isinstance(record, Entry))
        await self._spare.write_many(written, give_back=give_back)
        if give_back and len(written) < len(records):
            for key, record in records:
                self._spare.leases.give_back(key, record.fence)
        return told

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

    async def _look(self, verb: str, keys: Sequence[str], shared: Callable[[], Awaitable[list[Found]]]) -> list[Found]:
        found, is_shared = await self._ask(verb, shared, lambda: self._spare.read_many(keys))
        if not is_shared:
            return found
        return [await self._squared(key, one) for key, one in zip(keys, found, strict=True)]

    async def _read_shared(self, key: str) -> list[Found]:
        try:
            return [await self._shared.read(key)]
        except EntryDamaged as damage:
            return [damage]

    async def _squared(self, key: str, found: Found) -> Found:
        """Bring the spare in line with the shared store, or the other way round for a value that is owed to it."""
        mine = self._spare.look(key)
        kept = None if isinstance(found, EntryDamaged) else found
        if key in self._owed:
            self._owed.discard(key)
            if mine.entry is not None and _is_newer(mine.entry, kept.entry if kept else None):
                await self.write(key, mine.entry)
                return mine
        if kept is not None and mine.fence != kept.fence:
            await self._mirror(key, kept)
        return found

    async def _mirror(self, key: str, kept: Kept) -> None:
        await self._spare.forget(key)
        if kept.entry is not None:
            await self._spare.write(key, kept.entry)
        if kept.failure is not None:
            await self._spare.write_failure(key, kept.failure)


def _is_newer(mine: Entry, theirs: Entry | None) -> bool:
    return theirs is None or mine.stored_at_s > theirs.stored_at_s
