"""Leases that all processes share: Lua on Redis or Valkey, one round trip a verb."""

from __future__ import annotations

from apps.resilience.leases import MICROSECONDS, Held, Lease
from apps.resilience.stores import cache_scripts
from apps.resilience.stores.redis_link import Link

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
        granted, fence, left_us = await self._link.answer(self._acquire([self.name_of(key)], arguments))
        if not granted:
            return Held(fence=int(fence), left_s=int(left_us) / MICROSECONDS)
        return Lease(key=key, owner=owner, fence=int(fence), lease_s=lease_s)

    async def renew(self, lease: Lease) -> bool:
        """Start its `lease_s` anew. False when it was released, or has passed to somebody else."""
        return await self._end_in(lease, max(1, int(lease.lease_s * MICROSECONDS)))

    async def release(self, lease: Lease) -> bool:
        """Give it back. False when it was not ours any more."""
        return await self._end_in(lease, 0)

    def name_of(self, key: str) -> str:
        """Return the server's name of the lease; it carries the key as hash tag, as the value it guards does."""
        return f"{self._prefix}{{{key}}}:lease"

    async def _end_in(self, lease: Lease, lease_us: int) -> bool:
        return bool(await self._link.answer(self._extend([self.name_of(lease.key)], [lease.fence, lease_us])))
