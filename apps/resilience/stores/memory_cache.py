"""A cache within one process, bounded in bytes: for tests and tools, and as the spare when the shared one is gone."""

from __future__ import annotations

import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from apps.resilience.cache_ports import NOTHING, Claim, Entry, Failure, Found, Kept, Record
from apps.resilience.clock import Clock, SystemClock
from apps.resilience.leases import MICROSECONDS, Held, Lease, next_fence
from apps.resilience.stores.memory_leases import MemoryLeases

SIZE_BYTES_MAX = 32 * 1024 * 1024
OVERHEAD_BYTES = 1_000  # what the objects around a value take, roughly


@dataclass(frozen=True, slots=True)
class _Slot:
    kept: Kept
    ends_s: float
    size_bytes: int


class MemoryCache:
    """Keeps the values that were used last, up to `size_bytes_max`. `evicted` counts those that had to go."""

    def __init__(self, *, clock: Clock | None = None, size_bytes_max: int = SIZE_BYTES_MAX) -> None:
        self._clock = clock or SystemClock()
        self._leases = MemoryLeases(self._clock)
        self._lock = threading.Lock()
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._size_bytes_max = size_bytes_max
        self.size_bytes = 0
        self.evicted = 0

    @property
    def leases(self) -> MemoryLeases:
        """The leases whose numbers fence the writes."""
        return self._leases

    async def read(self, key: str) -> Kept:
        """Return what is kept, empty when nothing is."""
        return self.look(key)

    def look(self, key: str) -> Kept:
        """Return what is kept, without waiting."""
        with self._lock:
            slot = self._alive(key)
            if slot is None:
                return NOTHING
            self._slots.move_to_end(key)
            return slot.kept

    async def write(self, key: str, entry: Entry) -> bool:
        """Keep the value and forget the failure."""
        with self._lock:
            fence = self._admitted(key, entry.fence)
            if fence is not None:
                self._put(
                    key, Kept(entry=entry if entry.fence else replace(entry, fence=fence)), self._clock.now_s() + entry.kept_s
                )
        return fence is not None

    async def write_failure(self, key: str, failure: Failure) -> bool:
        """Remember the failure beside the value, as long as the value is kept; alone, as long as it says."""
        with self._lock:
            fence, slot = self._admitted(key, failure.fence), self._alive(key)
            if fence is not None:
                entry = slot.kept.entry if slot else None
                ends_s = slot.ends_s if slot and entry else self._clock.now_s() + failure.kept_s
                self._put(key, Kept(entry=entry, failure=replace(failure, fence=fence)), ends_s)
        return fence is not None

    async def read_many(self, keys: Sequence[str]) -> list[Found]:
        """Return what is kept under each key."""
        return [self.look(key) for key in keys]

    async def claim_many(self, known: Sequence[tuple[str, int]], *, owner: str, lease_s: float) -> list[Claim | Held]:
        """Take the lease of each key that nobody has, and look whether its newest outcome has another fence than is known."""
        told: list[Claim | Held] = []
        for key, fence in known:
            answer = await self._leases.acquire(key, owner=owner, lease_s=lease_s)
            if isinstance(answer, Lease):
                kept = self.look(key)
                told.append(Claim(answer, None if kept.fence == fence else kept))
            else:
                told.append(answer)
        return told

    async def write_many(self, records: Sequence[tuple[str, Record]], *, give_back: bool = False) -> list[bool]:
        """Keep the values and remember the failures, each by its own fence; `give_back` ends the leases of these fences too."""
        told: list[bool] = []
        for key, record in records:
            told.append(await (self.write(key, record) if isinstance(record, Entry) else self.write_failure(key, record)))
            if give_back:
                self._leases.give_back(key, record.fence)
        return told

    async def forget(self, key: str) -> None:
        """Drop the value and the failure of the key."""
        with self._lock:
            self._drop(key)

    async def clear(self, pattern: str) -> int:
        """Drop all keys that match and return how many."""
        wanted = matcher_of(pattern)
        with self._lock:
            found = [key for key in self._slots if wanted.fullmatch(key.encode())]
            alive = sum(self._alive(key) is not None for key in found)
            for key in found:
                self._drop(key)
        return alive

    async def add_counts(self, counts: Mapping[str, int]) -> None:
        """Add to the counters."""
        with self._lock:
            self._counts.update(counts)

    async def read_counts(self) -> dict[str, int]:
        """Return the counters."""
        with self._lock:
            return dict(self._counts)

    async def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._slots.clear()
            self.size_bytes = 0

    def kept_keys(self) -> set[str]:
        """Return the keys that are kept."""
        with self._lock:
            return {key for key in list(self._slots) if self._alive(key) is not None}

    def _admitted(self, key: str, fence: int) -> int | None:
        """Return the fence under which the write goes in, or None when it comes too late."""
        slot = self._alive(key)
        newest = max(slot.kept.fence if slot else 0, self._leases.fence_of(key))
        if fence == 0:
            return next_fence(newest, now_us=int(self._clock.now_s() * MICROSECONDS))
        return fence if fence >= newest else None

    def _put(self, key: str, kept: Kept, ends_s: float) -> None:
        self._drop(key)
        size_bytes = _size_of(key, kept)
        if size_bytes > self._size_bytes_max:
            self.evicted += 1
            return
        self._slots[key] = _Slot(kept, ends_s, size_bytes)
        self.size_bytes += size_bytes
        while self.size_bytes > self._size_bytes_max:
            self._drop(next(iter(self._slots)))
            self.evicted += 1

    def _alive(self, key: str) -> _Slot | None:
        slot = self._slots.get(key)
        if slot is not None and slot.ends_s <= self._clock.now_s():
            self._drop(key)
            return None
        return slot

    def _drop(self, key: str) -> None:
        slot = self._slots.pop(key, None)
        if slot is not None:
            self.size_bytes -= slot.size_bytes


def matcher_of(pattern: str) -> re.Pattern[bytes]:
    """Return the pattern as an expression over UTF-8 keys: `*` is any text, `?` one byte, all else stands for itself."""
    parts = re.split(r"([*?])", pattern)
    signs = {"*": b".*", "?": b"."}
    return re.compile(b"".join(signs.get(part) or re.escape(part.encode()) for part in parts), re.DOTALL)


def _size_of(key: str, kept: Kept) -> int:
    entry, failure = kept.entry, kept.failure
    texts = 0 if entry is None else sum(map(len, entry.meta)) + sum(map(len, entry.meta.values()))
    size_bytes = 0 if entry is None else len(entry.value)
    return OVERHEAD_BYTES + len(key) + size_bytes + texts + (len(failure.message) if failure else 0)
