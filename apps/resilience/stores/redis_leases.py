"""Leases that all processes share: Lua on Redis or Valkey, one round trip a verb and `KEYS_A_TRIP` keys."""

from __future__ import annotations

from collections.abc import Sequence

from apps.resilience.leases import MICROSECONDS, Held, Lease
from apps.resilience.stores import cache_scripts
from apps.resilience.stores.cache_scripts import KEYS_A_TRIP
from apps.resilience.stores.redis_link import Link, batched

TTL_MS = 86_400_000  # a day without a grant and the key is forgotten; its fences go on, because they are times


class RedisLeases:
    """Leases under `prefix`, timed by the server's clock. The link is its maker's to close."""

    def __init__(self, link: Link, *, prefix: str = "kit:") -> None:
        self._prefix = prefix
        self._link = link
        self._acquire = link.client.register_script(cache_scripts.ACQUIRE)
        self._extend = link.client.register_script(cache_scripts.EXTEND)

    async def acquire(self, key: str, *, owner: str, lease_s: float) -> Lease | Held:
        """Take the lease of `key` if nobody has it; it is not re-entrant."""
        arguments: list[str | int] = [owner, int(lease_s * MICROSECONDS), TTL_MS]
        answer = await self._link.answer(self._acquire([self.name_of(key)], arguments))
        return answered(answer, key, owner=owner, lease_s=lease_s)

    async def renew(self, lease: Lease) -> bool:
        """Start its `lease_s` anew. False when it was released, or has passed to somebody else."""
        return (await self.renew_many([lease]))[0]

    async def release(self, lease: Lease) -> bool:
        """Give it back. False when it was not ours any more."""
        return (await self.release_many([lease]))[0]

    async def renew_many(self, leases: Sequence[Lease]) -> list[bool]:
        """Start the time of each anew that is still ours."""
        return await self._end([(lease, max(1, int(lease.lease_s * MICROSECONDS))) for lease in leases])

    async def release_many(self, leases: Sequence[Lease]) -> list[bool]:
        """Give back each that is still ours."""
        return await self._end([(lease, 0) for lease in leases])

    def name_of(self, key: str) -> str:
        """Return the server's name of the lease; it carries the key as hash tag, as the value it guards does."""
        return f"{self._prefix}{{{key}}}:lease"

    async def _end(self, ends: Sequence[tuple[Lease, int]]) -> list[bool]:
        """Let each lease end in so many microseconds; say for each whether it was ours."""
        told: list[bool] = []
        for some in batched(ends, KEYS_A_TRIP):
            arguments = [number for lease, lease_us in some for number in (lease.fence, lease_us)]
            answers = await self._link.answer(self._extend([self.name_of(lease.key) for lease, _ in some], arguments))
            told += [bool(answer) for answer in answers]
        return told


def answered(answer: Sequence[int], key: str, *, owner: str, lease_s: float) -> Lease | Held:
    """Return what the scripts said of a lease."""
    granted, fence, left_us = answer[:3]
    return (
        Lease(key=key, owner=owner, fence=fence, lease_s=lease_s) if granted else Held(fence=fence, left_s=left_us / MICROSECONDS)
    )
