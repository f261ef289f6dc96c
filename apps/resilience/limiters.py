"""The limiter as one uses it: take slots, wait for them, and say how it went, with few round trips."""

from __future__ import annotations

from typing import NoReturn

from apps.resilience.clock import Clock, SystemClock
from apps.resilience.errors import PaceExceeded
from apps.resilience.limiter import SUCCESSES_PER_STEP, WAIT_S_MAX, Feedback, Pace, PaceState, Reservation, pause_us_of
from apps.resilience.paced_slot import SlotAhead, present_allowance
from apps.resilience.ports import Store
from apps.resilience.windows import MICROSECONDS


class Limiter:
    """The pace of one key, shared through `store`.

    Good answers are gathered and told ten at a time, or after a tenth of the quota's window, and not at all while
    nothing ever slowed the pace, since they change nothing then. Bad answers are told at once, with the good ones
    that came before.
    Handing in the reservation of the call lets several refusals of one moment count once.
    """

    def __init__(self, key: str, pace: Pace, *, store: Store, clock: Clock | None = None) -> None:
        self.key = key
        self.pace = pace
        self._store = store
        self._clock = clock or SystemClock()
        self._tell_after_s = pace.window_us / MICROSECONDS / 10
        self._is_slowed = True  # until a reservation shows that nothing ever did
        self._successes = 0
        self._trouble_from = 0  # answers to calls let go before this slowdown say nothing about the pace of now
        self._is_well = True
        self._told_s = self._clock.monotonic_s()
        self._paused_until_s = float("-inf")
        self._pauses_heard = 0

    async def reserve(self, count: int = 1, *, wait_s_max: float = WAIT_S_MAX) -> Reservation:
        """Take as many of the next `count` slots as lie within `wait_s_max`, in one round trip, and do not wait.

        Work with an allowance waits no longer for its first call than that says.
        """
        allowance = present_allowance()
        if allowance is not None:
            wait_s_max = min(wait_s_max, allowance.wait_s_max(self.key))
        reservation = await self._store.reserve(self.key, self.pace, wait_s_max=wait_s_max, count=count)
        if allowance is not None and reservation.granted:
            allowance.begin(self.key, reservation.wait_s)
        return self._seen(reservation)

    async def redeem(self) -> Reservation | None:
        """Return the slot that the present work has paid beforehand, once; None without one, or when it is worth nothing now."""
        allowance = present_allowance()
        slot = allowance.take_slot(self.key) if allowance is not None else None
        if allowance is None or slot is None or self.is_paused() or not await self._store.redeem(self.key, slot):
            return None
        allowance.begin(self.key)
        return self._seen(slot.reservation())

    async def acquire(self, *, wait_s_max: float = WAIT_S_MAX, is_repeat: bool = False) -> Reservation:
        """Take a slot and wait for it; one that is paid needs no waiting.

        Raises PaceExceeded, with nothing taken, when it is further than `wait_s_max`; SlotAhead instead when the work can go
        on later, but not for a call that is repeated: what it has gone through would be forgotten.
        """
        paid = await self.redeem()
        if paid is not None:
            return paid
        ends_s = self._clock.monotonic_s() + wait_s_max
        while True:
            heard = self._pauses_heard
            reservation = await self.reserve(wait_s_max=max(0.0, ends_s - self._clock.monotonic_s()))
            if not reservation.granted:
                self._refuse(reservation, is_repeat=is_repeat)
            if reservation.wait_s > 0:
                await self._clock.sleep_s(reservation.wait_s)
            if heard == self._pauses_heard or not self.is_paused():  # else a pause began before the slot came
                return reservation

    def _refuse(self, reservation: Reservation, *, is_repeat: bool) -> NoReturn:
        allowance = present_allowance()
        if allowance is not None and allowance.can_go_on and not is_repeat:
            raise SlotAhead(self.key, reservation.wait_s)
        raise PaceExceeded(f"no free slot for {self.key} in time", retry_after_s=reservation.wait_s)

    def _seen(self, reservation: Reservation) -> Reservation:
        """Note whether anything slows the pace: while nothing does, good answers need not be told."""
        is_slow = reservation.interval_s * MICROSECONDS > self.pace.interval_us + 0.5
        self._is_slowed = is_slow or reservation.slowdowns > 0
        return reservation

    def is_paused(self) -> bool:
        """Whether this process heard a Retry-After that has not passed: slots taken before it are worth nothing."""
        return self._clock.monotonic_s() < self._paused_until_s

    def note_success(self, reservation: Reservation | None = None) -> bool:
        """Count a good answer without a round trip; False when it is time for `flush`."""
        is_old_news = reservation is not None and reservation.slowdowns < self._trouble_from
        if not self._is_slowed or is_old_news:
            return True
        self._is_well = True
        self._successes += 1
        return self._successes < SUCCESSES_PER_STEP and self._clock.monotonic_s() - self._told_s < self._tell_after_s

    async def on_success(self, reservation: Reservation | None = None) -> None:
        """Count a good answer; every tenth goes to the store."""
        if not self.note_success(reservation):
            await self.flush()

    async def on_rate_limit(self, retry_after_s: float | None = None, *, reservation: Reservation | None = None) -> None:
        """Tell that the other side refused: slow down, or pause for as long as it asks."""
        if retry_after_s is not None:
            pause_s = pause_us_of(retry_after_s) / MICROSECONDS
            self._paused_until_s = max(self._paused_until_s, self._clock.monotonic_s() + pause_s)
            self._pauses_heard += 1
        await self._tell(Feedback.RATE_LIMIT, retry_after_s=retry_after_s, reservation=reservation)

    async def on_error(self, *, reservation: Reservation | None = None) -> None:
        """Tell that the other side failed otherwise: go gentler on it."""
        await self._tell(Feedback.ERROR, reservation=reservation)

    async def flush(self) -> None:
        """Tell the store of the good answers gathered so far."""
        gathered, self._successes = self._successes, 0
        self._told_s = self._clock.monotonic_s()
        if gathered:
            await self._store.adapt(self.key, self.pace, Feedback.SUCCESS, successes=gathered - 1)

    async def look(self) -> PaceState:
        """Return the shared state."""
        return await self._store.look_pace(self.key)

    async def _tell(
        self, feedback: Feedback, *, retry_after_s: float | None = None, reservation: Reservation | None = None
    ) -> None:
        gathered, self._successes, self._is_slowed = self._successes, 0, True
        self._told_s = self._clock.monotonic_s()
        slowdowns = None if reservation is None else reservation.slowdowns
        if slowdowns is not None and self._is_well and feedback is Feedback.RATE_LIMIT:
            self._trouble_from = max(self._trouble_from, slowdowns + 1)
            self._is_well = False
        await self._store.adapt(
            self.key, self.pace, feedback, retry_after_s=retry_after_s, successes=gathered, slowdowns=slowdowns
        )
