"""How long things take and how often they fail, across all processes.

Counting is local and costs about a microsecond; every few seconds, and before a report, what was counted goes to the
store as one parcel. The store keeps the figures of a day, so that a process that ends takes nothing with it but the
last seconds. When the store is away, counting goes on, reports show this process alone and say so, and what could not
be sent is sent later, once.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import inspect
import os
import threading
import uuid
import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TypeVar, cast

from apps.resilience.clock import Clock, SystemClock
from apps.resilience.errors import StoreUnavailable
from apps.resilience.figures import NAMES_MAX, Durations, Figures, FigureStore, Life, NameBook, Parcel
from apps.resilience.hooks import AttemptFinished, Event, Hook, StoreFellBack, tell
from apps.resilience.perf_report import HIT, MISS, PerfReport, report_of
from apps.resilience.safely import classify

F = TypeVar("F", bound=Callable[..., Any])
FLUSH_EVERY_S = 5.0
OK = "ok"


class PerfMonitor:
    """Counts for one process and reports for all that share the store. Safe between threads and across forks.

    It is also a hook: given to a client, it times every attempt as "key.operation".
    """

    _counting: threading.Lock
    _sending: threading.Lock
    _stop: threading.Event
    _thread: threading.Thread | None
    _parcel: Parcel | None

    def __init__(
        self,
        *,
        store: FigureStore | None = None,
        clock: Clock | None = None,
        hooks: Sequence[Hook] = (),
        flush_every_s: float = FLUSH_EVERY_S,
        names_max: int = NAMES_MAX,
    ) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._hooks = hooks
        self._flush_every_s = flush_every_s
        self._names_max = names_max
        self._fallbacks = 0
        self._begin()
        _watch_forks(self)

    def time_operation(self, name: str) -> Timer:
        """Return a timer for `with`, `async with`, or as a decorator of a function of either kind."""
        return Timer(self, name)

    def observe(self, name: str, duration_s: float, *, error: str = "") -> None:
        """Count one duration, and with `error` (its kind in a word) one failure."""
        with self._counting:
            durations = self._pending.operations.get(name) or self._open(name)
            durations.add(duration_s, error)

    def increment(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        with self._counting:
            name = self._counter_names.admit(name)
            self._pending.counters[name] = self._pending.counters.get(name, 0) + by
            self._ensure_flushing()

    def hit(self, name: str) -> None:
        """Count that a cache had it; `miss` counts the opposite, and the report has the rate."""
        self.increment(name + HIT)

    def miss(self, name: str) -> None:
        """Count that a cache did not have it."""
        self.increment(name + MISS)

    def __call__(self, event: Event) -> None:
        """Time the attempts that a client tells of."""
        if isinstance(event, AttemptFinished):
            error = "" if event.outcome == OK else event.outcome
            self.observe(f"{event.key}.{event.operation}", event.duration_s, error=error)

    def flush(self) -> bool:
        """Send what was counted and return whether the store has it all. It waits for the store: not for event loops."""
        with self._sending:
            return self._send_all()

    def report(self) -> PerfReport:
        """Return the figures of the day: of all processes, or, flagged, of this one when the store is away.

        It waits for the store; in an event loop await `report_async`.
        """
        with self._sending:
            if self._send_all() and self._store is not None:
                try:
                    shared = self._store.read(self._day)
                    return report_of(shared.figures, day=self._day, now_s=self._clock.now_s(), lives=shared.lives, is_shared=True)
                except StoreUnavailable:
                    self._tell_fallback("read")
            return self._local_report()

    async def report_async(self) -> PerfReport:
        """Return the report without holding up the event loop."""
        return await asyncio.to_thread(self.report)

    def close(self) -> None:
        """Send what is left and stop. Counting may begin again."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            atexit.unregister(self.close)
        self.flush()

    def _begin(self) -> None:
        """Begin with nothing counted: at first, and in a forked child, whose parent reports what it counted itself."""
        self._counting, self._sending = threading.Lock(), threading.Lock()
        self._stop = threading.Event()
        self._thread = None
        self._process = uuid.uuid4().hex
        self._started_s = self._clock.now_s()
        self._day = _day_of(self._started_s)
        self._names, self._counter_names = NameBook(self._names_max), NameBook(self._names_max)
        self._pending, self._of_day = Figures(), Figures()
        self._parcel = None
        self._number = 0

    def _open(self, name: str) -> Durations:
        self._ensure_flushing()
        return self._pending.operations.setdefault(self._names.admit(name), Durations())

    def _ensure_flushing(self) -> None:
        if self._store is None or self._thread is not None or self._flush_every_s <= 0:
            return
        self._stop.clear()
        self._thread = threading.Thread(target=self._keep_flushing, name="perf-flush", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def _keep_flushing(self) -> None:
        while not self._stop.wait(self._flush_every_s):
            self.flush()

    def _pack(self) -> None:
        """Take what was counted into the day and, for a store, into the parcel that is sent next; a new day begins empty."""
        now_s = self._clock.now_s()
        if self._day != _day_of(now_s):
            self._day, self._of_day = _day_of(now_s), Figures()
        if self._parcel is not None:
            return  # the store may have it already: it goes again unchanged, and what came since waits
        with self._counting:
            taken, self._pending = self._pending, Figures()
        self._of_day.merge(taken)
        self._number += 1
        life = Life(started_s=self._started_s, seen_s=now_s)
        self._parcel = Parcel(day=self._day, process=self._process, number=self._number, life=life, figures=taken)

    def _send_all(self) -> bool:
        """Send a parcel that is left over, then what was counted since, and return whether the store has it all."""
        is_left_over = self._parcel is not None
        self._pack()
        if not self._send():
            return False
        if not is_left_over:
            return True
        self._pack()
        return self._send()

    def _send(self) -> bool:
        """Send the parcel and return whether the store has all."""
        if self._store is None or self._parcel is None:
            self._parcel = None
            return True
        try:
            self._store.add(self._parcel)
        except StoreUnavailable:
            self._tell_fallback("flush")
            return False
        self._parcel = None
        return True

    def _local_report(self) -> PerfReport:
        figures = Figures()
        figures.merge(self._of_day)
        with self._counting:
            figures.merge(self._pending)
        now_s = self._clock.now_s()
        lives = {self._process: Life(started_s=self._started_s, seen_s=now_s)}
        return report_of(figures, day=self._day, now_s=now_s, lives=lives, is_shared=False)

    def _tell_fallback(self, verb: str) -> None:
        self._fallbacks += 1
        tell(self._hooks, StoreFellBack(verb=verb, count=self._fallbacks))


class Timer:
    """Times one run of an operation; a failure is counted by its kind and goes on its way."""

    __slots__ = ("_monitor", "_name", "_started_s")

    def __init__(self, monitor: PerfMonitor, name: str) -> None:
        self._monitor = monitor
        self._name = name
        self._started_s = 0.0

    def __enter__(self) -> Timer:
        self._started_s = self._monitor._clock.monotonic_s()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        monitor = self._monitor
        monitor.observe(self._name, monitor._clock.monotonic_s() - self._started_s, error=_word_for(error))
        return False

    async def __aenter__(self) -> Timer:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        return self.__exit__(kind, error, trace)

    def __call__(self, f: F) -> F:
        """Time every call of `f`."""
        monitor, name = self._monitor, self._name
        if inspect.iscoroutinefunction(f):

            @functools.wraps(f)
            async def timed_async(*args: Any, **kwargs: Any) -> Any:
                with Timer(monitor, name):
                    return await f(*args, **kwargs)

            return cast("F", timed_async)

        @functools.wraps(f)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with Timer(monitor, name):
                return f(*args, **kwargs)

        return cast("F", timed)


def _word_for(error: BaseException | None) -> str:
    if error is None:
        return ""
    return classify(error).value if isinstance(error, Exception) else "cancelled"


def _day_of(now_s: float) -> str:
    return datetime.fromtimestamp(now_s, tz=UTC).date().isoformat()


def _watch_forks(monitor: PerfMonitor) -> None:
    """Let a monitor begin anew in every forked child, for as long as it is used at all."""
    monitors = weakref.ref(monitor)

    def begin_in_child() -> None:
        alive = monitors()
        if alive is not None:
            alive._begin()

    os.register_at_fork(after_in_child=begin_in_child)
