"""Whose turn it is when several wait for the slots of one source: weighted, fair at every moment, and pure.

The rule is worst-case fair weighted fair queueing (Bennett and Zhang, "WF2Q", INFOCOM 1996) with slots of one size. Time
is counted in shares: with tenants of the weights w waiting, one slot moves it on by 1 / sum of w. Each tenant's next
slot may be given from its `from` on and is due 1 / w later; of those that may have one, the one that is due first
gets it. So nobody is ever a slot or more away from its share, and whoever comes late is served within one round. A
tenant that leaves and comes back at once begins where it had been, so that leaving gains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WHOLE = 2**24  # one share, in the whole numbers that Lua counts in as well; exact for 500 million slots in a row
WEIGHT_MAX = 1000


@dataclass(slots=True)
class Turn:
    """A tenant that waits: from which time on its next slot may be given, and its weight."""

    begins: int
    weight: int

    @property
    def due(self) -> int:
        """The time by which its next slot should be given."""
        return self.begins + WHOLE // self.weight


@dataclass(slots=True)
class Turns:
    """The tenants that wait for one source, and the time in shares; `rested` remembers those that have just left."""

    time: int = 0
    waiting: dict[str, Turn] = field(default_factory=dict)
    rested: dict[str, int] = field(default_factory=dict)

    def join(self, tenant: str, weight: int) -> None:
        """Let a tenant take part; one that does already only gets the weight."""
        turn = self.waiting.get(tenant)
        if turn is None:
            self.waiting[tenant] = Turn(max(self.time, self.rested.pop(tenant, 0)), weight)
        else:
            turn.weight = weight

    def weigh(self, tenant: str, weight: int) -> bool:
        """Give a tenant that waits another weight; False for one that does not wait, or has this weight already."""
        turn = self.waiting.get(tenant)
        if turn is None or turn.weight == weight:
            return False
        turn.weight = weight
        return True

    def give(self) -> str:
        """Give the next slot and return whose it is; somebody must be waiting."""
        self.time = max(self.time, min(turn.begins for turn in self.waiting.values()))
        entitled = ((turn.due, tenant) for tenant, turn in self.waiting.items() if turn.begins <= self.time)
        _, tenant = min(entitled)
        self.waiting[tenant].begins = self.waiting[tenant].due
        self.time += WHOLE // sum(turn.weight for turn in self.waiting.values())
        return tenant

    def leave(self, tenant: str) -> None:
        """Let a tenant go that has nothing left to wait for."""
        self.rested[tenant] = self.waiting.pop(tenant).begins

    def forget(self) -> None:
        """Forget those who left so long ago that coming back gains them nothing."""
        self.rested = {tenant: begins for tenant, begins in self.rested.items() if begins > self.time}
