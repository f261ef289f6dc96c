"""Leases: the right to do one thing alone for a while, across processes, with a number that fences late writers.

A lease ends by itself: when its owner dies, the next one gets it at most `lease_s` later. Each grant of a key carries a
fence, a number that only grows; whoever stores the result of work under a lease gives the number along, and the store
refuses one that is lower than the newest, so that a leader that was thought dead cannot overwrite its successor.

Fences are the microseconds of the store's clock, or one more than the last if that is not later. So they keep growing
when a key is forgotten, and when the store comes back empty.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A granted lease of `key`."""

    key: str
    owner: str
    fence: int
    lease_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Somebody else has the lease, with this fence, for `left_s` more seconds if it is not renewed."""

    fence: int
    left_s: float


class LeaseStore(Protocol):
    """Grants leases. Every verb is atomic for each key and may raise `errors.StoreUnavailable`.

    The verbs for many say of each what they would say one by one, in order, in as few round trips as they can.
    """

    async def acquire(self, key: str, *, owner: str, lease_s: float) -> Lease | Held:
        """Take the lease of `key` if nobody has it; it is not re-entrant."""
        ...

    async def renew(self, lease: Lease) -> bool:
        """Start its `lease_s` anew. False when it was released, or has passed to somebody else."""
        ...

    async def release(self, lease: Lease) -> bool:
        """Give it back. False when it was not ours any more."""
        ...

    async def renew_many(self, leases: Sequence[Lease]) -> list[bool]:
        """Start the time of each anew that is still ours."""
        ...

    async def release_many(self, leases: Sequence[Lease]) -> list[bool]:
        """Give back each that is still ours."""
        ...


def new_owner() -> str:
    """Return a name for whoever asks: the machine and the process for people, and a part that is never the same again."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def next_fence(last: int, *, now_us: int) -> int:
    """Return the number of the next grant."""
    return max(last + 1, now_us)
