"""What goes into a cache, what comes out of it, and what the cache asks of the store behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from apps.resilience.freshness import Grade
from apps.resilience.leases import Held, Lease, LeaseStore


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loader gives: the bytes, and short texts about them that come back with them (an ETag, a content type)."""

    value: bytes
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotModified:
    """The loader asked, and the value it was given still holds: its age starts anew. `meta` is laid over the old one."""

    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """A served value. `stored_at_s` is in seconds since 1970 UTC; `reason` says why it was not refreshed, or is empty."""

    value: bytes
    meta: Mapping[str, str]
    stored_at_s: float
    age_s: float
    grade: Grade
    reason: str = ""

    @property
    def is_stale(self) -> bool:
        """Whether it must be flagged wherever it is shown."""
        return self.grade is Grade.STALE


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A value to keep for `kept_s`. `cost_s` is how long its load took, `fence` the number of the lease it was loaded under.

    A writer outside of any lease gives the fence 0: it wins over all that went before, and the store numbers it.
    """

    value: bytes
    meta: Mapping[str, str]
    stored_at_s: float
    kept_s: float
    cost_s: float = 0.0
    fence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failure of a load, remembered for `kept_s`. `code` is the stable code of the error, `status` an HTTP status or None."""

    code: str
    message: str
    transient: bool
    failed_at_s: float
    kept_s: float
    status: int | None = None
    retry_after_s: float | None = None
    fence: int = 0

    @property
    def reason(self) -> str:
        """The failure in one line."""
        return f"{self.code}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """All that a store knows of a key: its value, and the failure of a load since then."""

    entry: Entry | None = None
    failure: Failure | None = None

    @property
    def fence(self) -> int:
        """The number of the newest outcome, 0 for none."""
        return max(self.entry.fence if self.entry else 0, self.failure.fence if self.failure else 0)


NOTHING = Kept()


class EntryDamaged(ValueError):
    """What the store holds under the key was not written by this kit, or not in full."""


Found = Kept | EntryDamaged  # what a look at many keys tells of each: damage of one is no failure of the others
Record = Entry | Failure  # what the work under a lease leaves behind


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease that was granted, and what is kept under its key; `found` is None when that is what the claimant knows already."""

    lease: Lease
    found: Found | None


class CacheStore(Protocol):
    """Keeps values and failures by key. Every verb may raise `errors.StoreUnavailable`.

    Writes are fenced: one with a number below the newest lease or value of its key is refused and returns False. The
    verbs for many say of each key what they would say one by one, in order, in as few round trips as they can.
    """

    @property
    def leases(self) -> LeaseStore:
        """The leases whose numbers fence the writes."""
        ...

    async def read(self, key: str) -> Kept:
        """Return what is kept, empty when nothing is. Raises EntryDamaged when it cannot be understood."""
        ...

    async def write(self, key: str, entry: Entry) -> bool:
        """Keep the value and forget the failure."""
        ...

    async def write_failure(self, key: str, failure: Failure) -> bool:
        """Remember the failure beside the value, as long as the value is kept; alone, as long as it says."""
        ...

    async def read_many(self, keys: Sequence[str]) -> list[Found]:
        """Return what is kept under each key."""
        ...

    async def claim_many(self, known: Sequence[tuple[str, int]], *, owner: str, lease_s: float) -> list[Claim | Held]:
        """Take the lease of each key that nobody has, and look whether its newest outcome has another fence than is known."""
        ...

    async def write_many(self, records: Sequence[tuple[str, Record]], *, give_back: bool = False) -> list[bool]:
        """Keep the values and remember the failures, each by its own fence; `give_back` ends the leases of these fences too."""
        ...

    async def forget(self, key: str) -> None:
        """Drop the value and the failure of the key."""
        ...

    async def clear(self, pattern: str) -> int:
        """Drop all keys that match and return how many; `*` is any text, `?` one byte, all else stands for itself."""
        ...

    async def add_counts(self, counts: Mapping[str, int]) -> None:
        """Add to the counters that all processes share."""
        ...

    async def read_counts(self) -> dict[str, int]:
        """Return the counters that all processes share."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
