"""News of the kit as data: frozen events handed to hooks, which make metrics and logs of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from apps.resilience.breaker import BreakerPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFinished:
    """One attempt ended. `outcome` is "ok" or the code of the error; `wait_s` is the time spent on the limiter."""

    key: str
    operation: str
    attempt: int
    outcome: str
    status: int | None
    duration_s: float
    wait_s: float
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled:
    """A failed attempt will be repeated after `delay_s`."""

    key: str
    operation: str
    attempt: int
    delay_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChanged:
    """A breaker moved to another phase."""

    key: str
    phase: BreakerPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFellBack:
    """The shared store could not be reached; `verb` was answered by the spare, known to this process alone."""

    verb: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAsked:
    """One of several sources was done with. `state` is "answered", "failed" or "cut_short"; `reason` says why it failed."""

    source: str
    state: str
    duration_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStoodIn:
    """A fetch failed for `reason`, and what was kept `age_s` ago was served in its place."""

    key: str
    age_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureHandled:
    """A failure was caught, told, and answered with a fall-back. `context` carries no secrets."""

    operation: str
    kind: str
    error: str
    message: str
    context: Mapping[str, object]


Event = (
    AttemptFinished
    | RetryScheduled
    | BreakerChanged
    | StoreFellBack
    | SourceAsked
    | CacheStoodIn
    | FailureHandled
)  # fmt: skip


class Hook(Protocol):
    """Listens to events. It must be quick and must not raise."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        ...


def tell(hooks: Iterable[Hook], event: Event) -> None:
    """Hand the event to every hook, in order."""
    for hook in hooks:
        hook(event)
