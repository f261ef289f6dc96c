"""Leases within one process: for tests, and as the spare when the shared store is gone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from apps.resilience.clock import Clock, SystemClock
from apps.resilience.leases import MICROSECONDS, Held, Lease, next_fence

KEYS_MAX = 10_000  # beyond this many keys the free ones are forgotten; fences are times, so they go on growing


@dataclass(frozen=True, slots=True)
class _Grant:
    owner: str
    fence: int
    until_us: int


class MemoryLeases:
    """Keeps grants in a dictionary under a lock; the twin of `RedisLeases`."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._grants: dict[str, _Grant] = {}

    async def acquire(self, key: str, *, owner: str, lease_s: float) -> Lease | Held:
        """Take the lease of `key` if nobody has it; it is not re-entrant."""
        with self._lock:
            now_us = self._now_us()
            last = self._grants.get(key, _Grant("", 0, 0))
            if last.until_us > now_us:
                return Held(fence=last.fence, left_s=(last.until_us - now_us) / MICROSECONDS)
            self._forget_free(now_us)
            fence = next_fence(last.fence, now_us=now_us)
            self._grants[key] = _Grant(owner, fence, now_us + int(lease_s * MICROSECONDS))
        return Lease(key=key, owner=owner, fence=fence, lease_s=lease_s)

    async def renew(self, lease: Lease) -> bool:
        """Start its `lease_s` anew. False when it was released, or has passed to somebody else."""
        with self._lock:
            return self._set_end(lease, self._now_us() + int(lease.lease_s * MICROSECONDS))

    async def release(self, lease: Lease) -> bool:
        """Give it back. False when it was not ours any more."""
        with self._lock:
            return self._set_end(lease, 0)

    async def renew_many(self, leases: Sequence[Lease]) -> list[bool]:
        """Start the time of each anew that is still ours."""
        return [await self.renew(lease) for lease in leases]

    async def release_many(self, leases: Sequence[Lease]) -> list[bool]:
        """Give back each that is still ours."""
        return [await self.release(lease) for lease in leases]

    def fence_of(self, key: str) -> int:
        """Return the number of the last grant of `key`, 0 for none."""
        with self._lock:
            grant = self._grants.get(key)
        return grant.fence if grant else 0

    def give_back(self, key: str, fence: int) -> None:
        """End the grant of `key` that has this fence."""
        with self._lock:
            self._set_end(Lease(key=key, owner="", fence=fence, lease_s=0.0), 0)

    def _set_end(self, lease: Lease, until_us: int) -> bool:
        grant = self._grants.get(lease.key)
        if grant is None or grant.fence != lease.fence or grant.until_us == 0:
            return False
        self._grants[lease.key] = _Grant(grant.owner, grant.fence, until_us)
        return True

    def _forget_free(self, now_us: int) -> None:
        if len(self._grants) >= KEYS_MAX:
            self._grants = {key: grant for key, grant in self._grants.items() if grant.until_us > now_us}

    def _now_us(self) -> int:
        return int(self._clock.now_s() * MICROSECONDS)
