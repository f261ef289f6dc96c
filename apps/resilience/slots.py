"""The limiter's leave for a batch: many slots in one round trip, and not further ahead than the pace is sure to hold."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from apps.resilience.clock import Clock
from apps.resilience.errors import KitError, PaceExceeded
from apps.resilience.exchange import Journey
from apps.resilience.limiter import Reservation
from apps.resilience.limiters import Limiter

HORIZON_S = 10.0  # slots further ahead are taken when it is time: a pace that turns out too fast wastes no more than these


@dataclass(slots=True)
class Booking:
    """What slots of one reservation share. It is void as soon as the other side says that the pace is too fast."""

    is_void: bool = False


@dataclass(slots=True)
class Slot:
    """A place in time that was reserved beforehand: when it is, on the clock of durations, and in which reservation."""

    at_s: float
    reservation: Reservation
    booking: Booking = field(default_factory=Booking)


class Slots:
    """Gives `count` slots, one at a time, up to the moment `ends_s`."""

    def __init__(self, limiter: Limiter, clock: Clock, *, count: int, ends_s: float) -> None:
        self._limiter = limiter
        self._tick = clock.monotonic_s
        self._left = count
        self._ends_s = ends_s
        self._ready: deque[Slot] = deque()
        self._booking = Booking()
        self._refilling = asyncio.Lock()
        self._refusal: Reservation | None = None
        self._refused = 0
        self._has_asked = False

    def expect(self, count: int) -> None:
        """Give so many slots more."""
        self._left += count

    async def take(self) -> Slot:
        """Return the next slot. Raises PaceExceeded when it lies beyond the end, StoreUnavailable from the store."""
        paid = await self._paid()
        if paid is not None:
            self._left -= 1
            return paid
        while True:
            if self._ready and not self._booking.is_void:
                self._left -= 1
                return self._ready.popleft()
            async with self._refilling:
                if not self._ready or self._booking.is_void:
                    await self._refill()

    async def _paid(self) -> Slot | None:
        """Return the slot that the present work has paid beforehand: it is asked for once, and first."""
        if self._has_asked:
            return None
        self._has_asked = True
        reservation = await self._limiter.redeem()
        return None if reservation is None else Slot(self._tick(), reservation)

    async def _refill(self) -> None:
        began_s = self._tick()
        left_s = max(0.0, self._ends_s - began_s)
        if self._refusal is None:
            reservation = await self._limiter.reserve(self._left, wait_s_max=min(HORIZON_S, left_s))
            if not reservation.granted and left_s > HORIZON_S:
                reservation = await self._limiter.reserve(1, wait_s_max=left_s)
            if reservation.granted:
                self._booking = booking = Booking()
                waits_s = (reservation.wait_of_s(index) for index in range(reservation.count))
                self._ready = deque(Slot(began_s + wait_s, reservation, booking) for wait_s in waits_s)
                return
            self._refusal = reservation
        raise self._refused_error(self._refusal)

    def _refused_error(self, refusal: Reservation) -> KitError:
        """Return the refusal of the next in line: the others before it want their slots too."""
        retry_after_s = refusal.wait_s + self._refused * refusal.interval_s
        self._refused += 1
        error = PaceExceeded(f"no free slot for {self._limiter.key} in time", retry_after_s=retry_after_s)
        error.journey = Journey()
        return error
