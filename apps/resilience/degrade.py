"""Getting by with less: many sources for one thing. (For what was kept from better days see `standing_in.py`.)

Errors are values here: a source that fails or hangs costs its own answer and at most its own time-out, never that of
the others. Every outcome says of every source whether it answered, failed, was cut short or not asked at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, Literal, TypeVar

from apps.resilience.clock import Clock, SystemClock
from apps.resilience.errors import AllSourcesFailed, CallFailed, TimedOut
from apps.resilience.hooks import Hook, SourceAsked, tell

T = TypeVar("T")
Ask = Callable[[], Awaitable[T]]
Mode = Literal["first", "all"]
TIMEOUT_S = 10.0
FAREWELL_S = 0.05  # what is cut short may tidy up this long; what will not go is left behind


class SourceState(StrEnum):
    """How it went with one source."""

    ANSWERED = "answered"
    FAILED = "failed"
    CUT_SHORT = "cut_short"  # asked, but another answered first
    NOT_ASKED = "not_asked"


@dataclass(frozen=True, kw_only=True)
class SourceOutcome(Generic[T]):
    """One source's part: its value when it answered, its error when it failed, and how long it took."""

    name: str
    state: SourceState
    value: T | None = None
    error: Exception | None = None
    duration_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class MultiOutcome(Generic[T]):
    """What came of asking several sources: `outcomes` has all of them in their order, `used` those whose values count."""

    outcomes: Mapping[str, SourceOutcome[T]]
    used: tuple[str, ...]

    @property
    def value(self) -> T:
        """The value of the first source that is used."""
        return self.outcomes[self.used[0]].value  # type: ignore[return-value]  # an answer's value may itself be None

    @property
    def values(self) -> Mapping[str, T]:
        """The values that are used, by source."""
        return {name: self.outcomes[name].value for name in self.used}  # type: ignore[misc]  # as above

    @property
    def failures(self) -> Mapping[str, Exception]:
        """What went wrong, by source."""
        return {name: outcome.error for name, outcome in self.outcomes.items() if outcome.error is not None}

    @property
    def is_degraded(self) -> bool:
        """Whether a source failed on the way to this answer."""
        return bool(self.failures)


async def multi_source_fetch(
    sources: Mapping[str, Ask[T]],
    *,
    mode: Mode = "first",
    timeout_s: float = TIMEOUT_S,
    hedge_s: float | None = None,
    clock: Clock | None = None,
    hooks: Sequence[Hook] = (),
) -> MultiOutcome[T]:
    """Ask the sources for the same thing and return what every one of them did.

    "first": in their order, the next one when one fails (or, with `hedge_s`, when it is not back by then, beside it),
    until one answers. "all": at once, and every answer is used. Each is given `timeout_s`. Raises AllSourcesFailed,
    which names every failure, when none answered.
    """
    round_ = _Round(sources, timeout_s=timeout_s, clock=clock or SystemClock(), hooks=hooks)
    try:
        await (round_.ask_all() if mode == "all" else round_.ask_in_turn(hedge_s))
    finally:
        await round_.cut_short()
    return round_.outcome(mode)


class _Round(Generic[T]):
    """One round of asking."""

    def __init__(self, sources: Mapping[str, Ask[T]], *, timeout_s: float, clock: Clock, hooks: Sequence[Hook]) -> None:
        self._sources = sources
        self._timeout_s = timeout_s
        self._clock = clock
        self._hooks = hooks
        self._started_s: dict[str, float] = {}
        self._running: dict[asyncio.Task[T], str] = {}
        self._done: dict[str, SourceOutcome[T]] = {}

    async def ask_all(self) -> None:
        """Ask everybody at once and wait for everybody."""
        for name in self._sources:
            self._start(name)
        while self._running:
            await self._wait(None)

    async def ask_in_turn(self, hedge_s: float | None) -> None:
        """Ask one after the other until one answers; the next is asked when one failed or `hedge_s` went by."""
        for name in self._sources:
            self._start(name)
            if await self._wait(hedge_s):
                return
        while self._running and not await self._wait(None):
            continue

    async def cut_short(self) -> None:
        """Stop whoever is still being asked."""
        for task, name in self._running.items():
            task.cancel()
            self._note(name, SourceState.CUT_SHORT)
        if self._running:
            await asyncio.wait(self._running)
        self._running.clear()

    def outcome(self, mode: Mode) -> MultiOutcome[T]:
        """Return what came of it. Raises AllSourcesFailed."""
        outcomes = {name: self._done.get(name, _not_asked(name)) for name in self._sources}
        used = tuple(name for name, outcome in outcomes.items() if outcome.state is SourceState.ANSWERED)
        if not used:
            raise AllSourcesFailed({name: outcome.error for name, outcome in outcomes.items() if outcome.error is not None})
        return MultiOutcome(outcomes=MappingProxyType(outcomes), used=used if mode == "all" else used[:1])

    def _start(self, name: str) -> None:
        self._started_s[name] = self._clock.monotonic_s()
        task = asyncio.ensure_future(within(self._sources[name], self._timeout_s))
        self._running[task] = name

    async def _wait(self, timeout_s: float | None) -> bool:
        """Wait until somebody is done or the time is over, and return whether somebody answered."""
        done, _ = await asyncio.wait(self._running, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        answered = [self._finish(task) for task in list(self._running) if task in done]
        return any(answered)

    def _finish(self, task: asyncio.Task[T]) -> bool:
        name = self._running.pop(task)
        error = _error_of(task)
        if error is None:
            self._note(name, SourceState.ANSWERED, value=task.result())
        else:
            self._note(name, SourceState.FAILED, error=error)
        return error is None

    def _note(self, name: str, state: SourceState, *, value: T | None = None, error: Exception | None = None) -> None:
        duration_s = self._clock.monotonic_s() - self._started_s[name]
        self._done[name] = SourceOutcome(name=name, state=state, value=value, error=error, duration_s=duration_s)
        reason = "" if error is None else f"{type(error).__name__}: {error}"
        tell(self._hooks, SourceAsked(source=name, state=state.value, duration_s=duration_s, reason=reason))


def _not_asked(name: str) -> SourceOutcome[T]:
    return SourceOutcome(name=name, state=SourceState.NOT_ASKED)


def _error_of(task: asyncio.Task[T]) -> Exception | None:
    """Return why a finished task failed; one that was cancelled from inside failed too."""
    if task.cancelled():
        return CallFailed("the source cancelled itself")
    error = task.exception()
    if error is not None and not isinstance(error, Exception):
        raise error  # the program is being ended
    return error


async def within(ask: Ask[T], timeout_s: float) -> T:
    """Ask within the time. Raises TimedOut, also when what is asked swallows its being cancelled and goes on."""

    async def asked() -> T:
        return await ask()

    task = asyncio.ensure_future(asked())
    task.add_done_callback(_look_at)
    try:
        await asyncio.wait({task}, timeout=timeout_s)
    finally:
        is_late = not task.done()
        if is_late:
            task.cancel()
            await asyncio.wait({task}, timeout=FAREWELL_S)
    if is_late:
        raise TimedOut(f"no answer within {timeout_s:g} s")
    return task.result()


def _look_at(task: asyncio.Task[T]) -> None:
    """Take the error of a task that nobody waits for any more, so that the loop does not complain of it."""
    if not task.cancelled():
        task.exception()
