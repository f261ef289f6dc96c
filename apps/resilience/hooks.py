"""News of the kit as data: frozen events handed to hooks, which make metrics and logs of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from apps.resilience.breaker import BreakerPhase
from apps.resilience.freshness import Grade

logger = logging.getLogger(__name__)


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
class RedirectFollowed:
    """An answer with `status` led on to `host`."""

    key: str
    operation: str
    status: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRevalidated:
    """The other side says that the answer that is kept is still the present one; its body did not travel again."""

    key: str
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadWaited:
    """A call stood in line for a place; `is_refused` when it got none in time, or the line was full."""

    key: str
    wait_s: float
    is_refused: bool


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
    """A failure was caught, told, and answered with a fall-back. `context` and `message` carry no secrets.

    `where` is the file and line that raised.
    """

    operation: str
    kind: str
    error: str
    message: str
    where: str
    context: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheServed:
    """A cache answered. `is_hit` says that nobody waited for a load."""

    key: str
    kind: str
    grade: Grade
    is_hit: bool
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRefreshed:
    """A load for a cache ended. `outcome` is "ok", "not-modified" or the code of the error; behind: no reader waited."""

    key: str
    kind: str
    outcome: str
    duration_s: float
    is_behind: bool


Event = (
    AttemptFinished
    | RetryScheduled
    | RedirectFollowed
    | AnswerRevalidated
    | BulkheadWaited
    | BreakerChanged
    | StoreFellBack
    | CacheServed
    | CacheRefreshed
    | SourceAsked
    | CacheStoodIn
    | FailureHandled
)  # fmt: skip


class Hook(Protocol):
    """Listens to events. It must be quick; what it raises is logged and goes no further."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        ...


def tell(hooks: Iterable[Hook], event: Event) -> None:
    """Hand the event to every hook, in order; one that raises costs neither the call nor the others their news."""
    for hook in hooks:
        try:
            hook(event)
        except Exception as error:
            logger.exception("a hook broke on %s: %s", type(event).__name__, type(error).__name__)
