"""The paced queue of one process: tests, tools, and the meaning of the Lua in `paced_scripts.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

from apps.resilience.breaker import BreakerPhase
from apps.resilience.limiter import Pace, Reservation
from apps.resilience.paced import ITEMS_AT_ONCE, LOOK_S, Ahead, Due, Offer, PacedItem, PacedLine, Peeking, Popped, Popping
from apps.resilience.paced_slot import PaidSlot
from apps.resilience.paced_turns import Turns
from apps.resilience.stores.memory import Kept, MemoryStore
from apps.resilience.windows import MICROSECONDS

LOOK_US = int(LOOK_S * MICROSECONDS)


@dataclass(frozen=True, slots=True)
class Seat:
    """An item and its place in the line of its tenant: the smallest rank is served first."""

    item: PacedItem
    rank: tuple[int, int]


@dataclass(slots=True)
class Room:
    """What is kept of one source: everything by id, the lines by tenant, the end of the lease of what is in flight."""

    pace: Pace
    seats: dict[str, Seat] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)
    turns: Turns = field(default_factory=Turns)
    flying_us: dict[str, int] = field(default_factory=dict)
    number: int = 0
    look_us: int | None = None

    @property
    def waiting(self) -> int:
        """How many items wait."""
        return len(self.seats) - len(self.flying_us)

    def sit(self, seat: Seat) -> None:
        """Put an item into the line of its tenant."""
        self.place(seat)
        self.turns.join(seat.item.tenant, seat.item.weight)

    def place(self, seat: Seat) -> None:
        """Put an item where it belongs in a line."""
        self.seats[seat.item.id] = seat
        line = self.lines.setdefault(seat.item.tenant, [])
        line.append(seat.item.id)
        line.sort(key=lambda item_id: self.seats[item_id].rank)

    def rise(self, item_id: str) -> None:
        """Take an item out of its line."""
        tenant = self.seats[item_id].item.tenant
        self.lines[tenant].remove(item_id)
        self.end_line(tenant)

    def end_line(self, tenant: str) -> None:
        """Let a tenant go if nothing of it waits."""
        if not self.lines[tenant]:
            del self.lines[tenant]
            self.turns.leave(tenant)

    def ahead(self, limit: int) -> list[str]:
        """Return the ids of those that would come next, in their order."""
        turns, places, found = deepcopy(self.turns), Counter[str](), []
        for _ in range(min(limit, self.waiting)):
            tenant = turns.give()
            found.append(self.lines[tenant][places[tenant]])
            places[tenant] += 1
            if places[tenant] == len(self.lines[tenant]):
                turns.leave(tenant)
        return found

    def pass_on(self, item_id: str, heir: Ahead | None) -> bool:
        """Forget an item that waits and give its place to the heir, unless that has a better one; False if it does not wait."""
        if item_id not in self.seats or item_id in self.flying_us:
            return False
        seat = self.seats.pop(item_id)
        tenant = seat.item.tenant
        self.lines[tenant].remove(item_id)
        own = self.seats.get(heir.id) if heir else None
        if heir and not own:
            self.place(replace(seat, item=replace(seat.item, id=heir.id, body=heir.body)))
        elif own and own.item.id in self.lines[tenant] and seat.rank < own.rank:
            self.lines[tenant].remove(own.item.id)
            self.place(replace(own, rank=seat.rank))
        self.end_line(tenant)
        return True

    def put_back(self, now_us: int) -> int:
        """Put those whose lease has ended back into their lines, and return how many they were."""
        ends = sorted((end_us, item_id) for item_id, end_us in self.flying_us.items() if end_us <= now_us)
        for _, item_id in ends[:ITEMS_AT_ONCE]:
            del self.flying_us[item_id]
            self.sit(self.seats[item_id])
        return len(ends[:ITEMS_AT_ONCE])


class MemoryPaced:
    """Keeps what waits beside the pace of a `MemoryStore`; safe between threads."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._rooms: dict[str, Room] = {}

    def offer(self, source: str, items: Sequence[PacedItem], pace: Pace) -> list[Offer]:
        """Take slots that are free for the first of the items, if nobody waits, and let the others wait."""
        with self._store.kept_of(source) as kept:
            room = self._rooms.setdefault(source, Room(pace))
            room.pace, is_free = pace, not room.turns.waiting
            news = {item.id: item for item in items if item.id not in room.seats}
            taken, free_us = _take_now(kept, pace, len(news) if is_free else 0)
            slot, left, offers = _slot(source, kept, taken), taken.count, []
            for item in items:
                is_new = news.pop(item.id, None) is not None
                if is_new and left > 0:
                    offers.append(Offer(slot))
                    left -= 1
                    continue
                offers.append(Offer(None, (free_us - kept.used_us + room.waiting * slot.interval_us) / MICROSECONDS))
                if is_new:
                    room.number += 1
                    room.sit(Seat(item, (-item.priority, room.number)))
            if is_free and room.turns.waiting:
                room.look_us = min(free_us, kept.used_us + LOOK_US)
        return offers

    def pop(self, source: str, limit: int, lease_s: float) -> Popping:
        """Put back what was lost in flight; take the slots that are free now and send as many items on their way."""
        with self._store.kept_of(source) as kept:
            room = self._rooms.get(source)
            if room is None:
                return Popping((), None, 0)
            now_us = kept.used_us
            reclaimed = room.put_back(now_us)
            taken, free_us = _take_now(kept, room.pace, min(limit, room.waiting))
            popped, slot = [], _slot(source, kept, taken)
            for _ in range(taken.count):
                item = room.seats[room.lines[room.turns.give()][0]].item
                room.rise(item.id)
                room.flying_us[item.id] = now_us + int(lease_s * MICROSECONDS)
                popped.append(Popped(item.id, item.tenant, item.body, slot))
            if popped:
                room.turns.forget()
            room.look_us = min(free_us, now_us + LOOK_US) if room.turns.waiting else min(room.flying_us.values(), default=None)
            next_s = None if room.look_us is None else max(0, room.look_us - now_us) / MICROSECONDS
        return Popping(tuple(popped), next_s, reclaimed)

    def landed(self, source: str, ids: Sequence[str]) -> int:
        """Forget items that are still in flight, and return how many were."""
        with self._store.kept_of(source):
            room = self._rooms[source]
            flying = [item_id for item_id in ids if item_id in room.flying_us]
            for item_id in flying:
                del room.flying_us[item_id], room.seats[item_id]
        return len(flying)

    def weigh(self, source: str, weights: Mapping[str, int]) -> int:
        """Give those of these tenants that wait another weight, and return how many had a different one."""
        with self._store.kept_of(source):
            room = self._rooms.get(source)
            return 0 if room is None else sum(room.turns.weigh(tenant, weight) for tenant, weight in weights.items())

    def peek(self, source: str, limit: int) -> Peeking:
        """Put back what was lost in flight, and return what comes next; nothing of it takes a slot or leaves its line."""
        with self._store.kept_of(source) as kept:
            room = self._rooms.get(source)
            if room is None:
                return Peeking((), 0)
            reclaimed = room.put_back(kept.used_us)
            return Peeking(tuple(Ahead(item_id, room.seats[item_id].item.body) for item_id in room.ahead(limit)), reclaimed)

    def pass_on(self, source: str, heirs: Mapping[str, Ahead | None]) -> frozenset[str]:
        """Forget items that wait and return which of these did; where one has an heir, that takes its place."""
        with self._store.kept_of(source):
            room = self._rooms.get(source)
            return frozenset(item_id for item_id, heir in heirs.items() if room and room.pass_on(item_id, heir))

    def due(self) -> Due:
        """Return which sources are to be looked at."""
        looks_us = {source: room.look_us for source, room in self._rooms.items() if room.look_us is not None}
        now_us = self._store.now_us()
        sources = tuple(
            source for look_us, source in sorted((us, source) for source, us in looks_us.items()) if look_us <= now_us
        )
        first_us = min(looks_us.values(), default=None)
        return Due(sources, None if first_us is None else max(0, first_us - now_us) / MICROSECONDS)

    def waiting(self) -> list[PacedLine]:
        """Return how many items wait, by source and tenant."""
        rooms = sorted(self._rooms.items())
        return [PacedLine(source, tenant, len(line)) for source, room in rooms for tenant, line in sorted(room.lines.items())]

    def close(self) -> None:
        """Forget everything."""
        self._rooms.clear()


def _take_now(kept: Kept, pace: Pace, wanted: int) -> tuple[Reservation, int]:
    """Take the slots that are free now, none while the breaker is open, and return them and when the next one is."""
    opens_us = kept.breaker.until_us if kept.breaker.phase is BreakerPhase.OPEN else 0
    most_us = -1 if opens_us > kept.used_us else 0
    taken = kept.take(pace, wait_us_max=most_us, count=wanted)
    ahead_us = round(taken.wait_of_s(taken.count) * MICROSECONDS) if taken.count else round(taken.wait_s * MICROSECONDS)
    return taken, max(opens_us, kept.used_us + ahead_us)


def _slot(source: str, kept: Kept, taken: Reservation) -> PaidSlot:
    interval_us = round(taken.interval_s * MICROSECONDS)
    return PaidSlot(source=source, at_us=kept.used_us, interval_us=interval_us, slowdowns=taken.slowdowns)
