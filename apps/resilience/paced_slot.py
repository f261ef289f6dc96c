"""Slots that were paid before the work began, and how long the work may wait for others.

What waits for a slot outside of the workers comes with it: its first call to that source needs no second one. A worker
says so with `allowing`, and limiters see it wherever the call is made: the allowance travels with the context.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass

from apps.resilience.limiter import LATE_S, WAIT_S_MAX, Reservation
from apps.resilience.windows import MICROSECONDS

# A pace leaves as many slots free as start within this time, so calls may come so late and still keep the quota.
LATE_US_MAX = int(LATE_S * MICROSECONDS)
FIGURES = ("at_us", "interval_us", "slowdowns")
# What work that can go on later waits in its worker, in all: a nearer slot costs less than to hand the work over.
GOING_ON_WAIT_S_MAX = 0.5


class SlotAhead(Exception):
    """The slot of a call lies ahead, and what was answered before is kept: the worker is given back until then."""

    def __init__(self, source: str, wait_s: float) -> None:
        super().__init__(f"the next slot of {source} is {wait_s:.1f} s ahead")
        self.source = source
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidSlot:
    """A slot of one source: when it was (on the clock of the store), at which interval, and after how many slowdowns."""

    source: str
    at_us: int
    interval_us: int
    slowdowns: int = 0

    def as_header(self) -> dict[str, str | int]:
        """Return it in plain words, for the header of a message."""
        return asdict(self)

    def reservation(self) -> Reservation:
        """Return it as the limiter would have given it, had it been taken now."""
        return Reservation(granted=True, wait_s=0.0, interval_s=self.interval_us / MICROSECONDS, slowdowns=self.slowdowns)


def slot_of_header(header: object) -> PaidSlot | None:
    """Read what `as_header` wrote; None for anything else, so that a forged header pays for nothing."""
    if not isinstance(header, Mapping) or not isinstance(header.get("source"), str):
        return None
    figures = [figure for name in FIGURES if type(figure := header.get(name)) is int and 0 <= figure < 2**53]
    if len(figures) < len(FIGURES):
        return None
    at_us, interval_us, slowdowns = figures
    return PaidSlot(source=header["source"], at_us=at_us, interval_us=interval_us, slowdowns=slowdowns)


class Allowance:
    """What one piece of work may do at limiters: use its slot once, and wait `wait_s_max` for its first call to a source.

    Later calls wait as long as their own deadline says: work that has begun would have to begin again. Where it would go on
    instead (`going_on`), they wait GOING_ON_WAIT_S_MAX at most, all of them together.
    """

    def __init__(self, slot: PaidSlot | None, wait_s_max: float) -> None:
        self._slot = slot
        self._wait_s_max = wait_s_max
        self._begun: set[str] = set()
        self._waited_s = 0.0
        self.can_go_on = False
        self._lock = threading.Lock()

    def take_slot(self, source: str) -> PaidSlot | None:
        """Return the slot if it is of this source and nobody has taken it yet."""
        with self._lock:
            slot = self._slot
            if slot is None or slot.source != source:
                return None
            self._slot = None
            return slot

    def wait_s_max(self, source: str) -> float:
        """Return how long the next call to this source may wait."""
        if source not in self._begun:
            return self._wait_s_max
        return max(0.0, GOING_ON_WAIT_S_MAX - self._waited_s) if self.can_go_on else WAIT_S_MAX

    def begin(self, source: str, wait_s: float = 0.0) -> None:
        """Note that a call to this source goes out after `wait_s`."""
        with self._lock:
            self._begun.add(source)
            self._waited_s += wait_s


_allowance: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


def present_allowance() -> Allowance | None:
    """Return the allowance of the work that runs here; None outside of such work."""
    return _allowance.get()


@contextmanager
def allowing(*, slot: PaidSlot | None = None, wait_s_max: float = WAIT_S_MAX) -> Iterator[None]:
    """Let the work inside use a slot that is paid, and let no first call of it wait longer than `wait_s_max`."""
    token = _allowance.set(Allowance(slot, wait_s_max))
    try:
        yield
    finally:
        _allowance.reset(token)


@contextmanager
def going_on() -> Iterator[bool]:
    """Let the work inside be broken off by SlotAhead where a call would wait long, for its answers are kept meanwhile.

    Yield whether that may happen: work without an allowance waits as it always does.
    """
    allowance = present_allowance()
    if allowance is None:
        yield False
        return
    before, allowance.can_go_on = allowance.can_go_on, True
    try:
        yield True
    finally:
        allowance.can_go_on = before
