"""Work that waits for its slot outside of the workers: `offer` it, and whoever `pop`s gets it when its turn has come.

What waits holds no slot (late binding): a slot is taken from the source's pace, the one that its limiter keeps, at the
moment when it is free, and given to the tenant whose turn it is (`paced_turns.py`); within a tenant, to the highest
priority, then to the oldest. So a pace that changes, a pause and an open breaker hold for everything that waits.

What was popped is in flight until it has `landed`. What has not after LEASE_S (its carrier died) goes back to the
front of its tenant and takes a new slot: an item may be carried twice, but is not lost while the store lives. A store
that loses its memory loses what waits; whoever offers must be able to offer again. The same id waits once.

What waits may lose its worth meanwhile. So whoever carries looks ahead first (`peek`), and passes on the places of what
nobody wants any more (`pass_on`): no slot goes to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from apps.resilience.limiter import Pace
from apps.resilience.paced_slot import PaidSlot
from apps.resilience.paced_turns import WEIGHT_MAX

LEASE_S = 30.0
LOOK_S = 1.0  # what waits is looked at so often, even if its slot lies further ahead: a pause may be lifted
PRIORITY_MAX = 1_000  # the Lua keeps priority and number in one score, exact up to 8,000
ITEMS_AT_ONCE = 500  # in one step of the store, so that others are not kept waiting
ID_LENGTH, BODY_LENGTH = 300, 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class PacedItem:
    """One piece of work for a source. `id` is its name there; `body` is the caller's own; higher priorities come first.

    The `weight` is that of the tenant: its share of the slots while others wait too; what was said last counts.
    """

    id: str
    source: str
    body: str
    tenant: str = ""
    priority: int = 0
    weight: int = 1

    def __post_init__(self) -> None:
        """Refuse what the store could not keep. Raises ValueError."""
        if not 0 < len(self.id) <= ID_LENGTH or len(self.body) > BODY_LENGTH:
            raise ValueError(f"an item needs an id of at most {ID_LENGTH} characters and a body of at most {BODY_LENGTH}")
        if not 1 <= self.weight <= WEIGHT_MAX or abs(self.priority) > PRIORITY_MAX:
            raise ValueError(f"weights go from 1 to {WEIGHT_MAX}, priorities from -{PRIORITY_MAX} to {PRIORITY_MAX}")


@dataclass(frozen=True, slots=True)
class Offer:
    """What became of an item: it may go now, with its slot; or it waits, and comes in about `waits_s`.

    The estimate is that of one line for all tenants: who shares the source with longer lines waits less.
    """

    slot: PaidSlot | None
    waits_s: float = 0.0

    @property
    def goes_now(self) -> bool:
        """Whether it has its slot already, and is not kept."""
        return self.slot is not None


@dataclass(frozen=True, slots=True)
class Popped:
    """An item whose slot has come."""

    id: str
    tenant: str
    body: str
    slot: PaidSlot


@dataclass(frozen=True, slots=True)
class Popping:
    """What a source had: the items whose slots have come, when to look again, and how many were found lost and put back.

    `next_s` is None when nothing waits there and nothing is in flight.
    """

    popped: tuple[Popped, ...]
    next_s: float | None
    reclaimed: int


@dataclass(frozen=True, slots=True)
class Ahead:
    """An item that waits and has no slot yet."""

    id: str
    body: str


@dataclass(frozen=True, slots=True)
class Peeking:
    """What would come next, in this order, and how many were found lost and put back."""

    ahead: tuple[Ahead, ...]
    reclaimed: int


@dataclass(frozen=True, slots=True)
class Due:
    """The sources that are to be looked at now; with none, `next_s` until the first is, None when nothing waits."""

    sources: tuple[str, ...]
    next_s: float | None


@dataclass(frozen=True, slots=True)
class PacedLine:
    """How many items of a tenant wait for a source."""

    source: str
    tenant: str
    count: int


class PacedStore(Protocol):
    """Where items wait. Every verb is one step and may raise `errors.StoreUnavailable`."""

    def offer(self, source: str, items: Sequence[PacedItem], pace: Pace) -> list[Offer]:
        """Take slots that are free for the first of the items, if nobody waits, and let the others wait."""
        ...

    def pop(self, source: str, limit: int, lease_s: float) -> Popping:
        """Put back what was lost in flight; take the slots that are free now and send as many items on their way."""
        ...

    def landed(self, source: str, ids: Sequence[str]) -> int:
        """Forget items that are still in flight, and return how many were."""
        ...

    def weigh(self, source: str, weights: Mapping[str, int]) -> int:
        """Give those of these tenants that wait another weight, and return how many had a different one."""
        ...

    def peek(self, source: str, limit: int) -> Peeking:
        """Put back what was lost in flight, and return what comes next; nothing of it takes a slot or leaves its line."""
        ...

    def pass_on(self, source: str, heirs: Mapping[str, Ahead | None]) -> frozenset[str]:
        """Forget items that wait and return which of these did; where one has an heir, that takes its place."""
        ...

    def due(self) -> Due:
        """Return which sources are to be looked at."""
        ...

    def waiting(self) -> list[PacedLine]:
        """Return how many items wait, by source and tenant."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class PacedQueue:
    """The paced queue as one uses it, from plain code; one for a process, shared by its threads."""

    def __init__(self, store: PacedStore) -> None:
        self._store = store

    def offer(self, item: PacedItem, pace: Pace) -> Offer:
        """Offer one item in one round trip: it goes now when a slot is free and nobody waits, else it waits, once."""
        return self._store.offer(item.source, (item,), pace)[0]

    def offer_many(self, items: Sequence[PacedItem], pace: Pace) -> list[Offer]:
        """Offer many items of one source, one round trip for each 500, and return of each, in order, what became of it."""
        if len({item.source for item in items}) > 1:
            raise ValueError("items of one call must be of one source")
        parts = (items[at : at + ITEMS_AT_ONCE] for at in range(0, len(items), ITEMS_AT_ONCE))
        return [offer for part in parts for offer in self._store.offer(part[0].source, part, pace)]

    def pop(self, source: str, limit: int = 100) -> Popping:
        """Take up to `limit` items whose slots have come, on the pace that the latest offer named; they are in flight then."""
        return self._store.pop(source, min(limit, ITEMS_AT_ONCE), LEASE_S)

    def landed(self, source: str, ids: Sequence[str]) -> int:
        """Say that items were carried where they belong."""
        return self._store.landed(source, ids) if ids else 0

    def reclaim(self, source: str) -> int:
        """Put back what was lost in flight, without taking anything, and return how many items it was."""
        return self._store.pop(source, 0, LEASE_S).reclaimed

    def weigh(self, source: str, weights: Mapping[str, int]) -> int:
        """Give those of these tenants that wait another weight from the next slot on; return how many had a different one."""
        if not all(1 <= weight <= WEIGHT_MAX for weight in weights.values()):
            raise ValueError(f"weights go from 1 to {WEIGHT_MAX}")
        return self._store.weigh(source, weights) if weights else 0

    def peek(self, source: str, limit: int = 100) -> Peeking:
        """Return what `pop` would take next if slots were free, so that what nobody wants any more can be passed on before."""
        return self._store.peek(source, min(limit, ITEMS_AT_ONCE))

    def pass_on(self, source: str, heirs: Mapping[str, Ahead | None]) -> frozenset[str]:
        """Take items out of their lines, and return the ids of those that waited there; what is in flight stays.

        The heir of one gets its place: as a new item, or, when it waits in the same line, if that place is better than its own.
        """
        if any(heir and not (0 < len(heir.id) <= ID_LENGTH and len(heir.body) <= BODY_LENGTH) for heir in heirs.values()):
            raise ValueError(f"an heir needs an id of at most {ID_LENGTH} characters and a body of at most {BODY_LENGTH}")
        return self._store.pass_on(source, heirs) if heirs else frozenset()

    def due(self) -> Due:
        """Return which sources are to be looked at, in one round trip."""
        return self._store.due()

    def waiting(self) -> list[PacedLine]:
        """Return how many items wait, by source and tenant."""
        return self._store.waiting()

    def close(self) -> None:
        """Let go of connections."""
        self._store.close()
