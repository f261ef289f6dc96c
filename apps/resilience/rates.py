"""A pace for any callable, by the name of who is called: `@rate_limited("newsapi")`.

The quotas below hold unless `configure_rates` says otherwise; it also says where the pace is shared, and must be called
before the first call in every process that is to share it. Without it every process keeps a pace of its own.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import ParamSpec, TypeVar, cast

from apps.resilience.bridge import bridge
from apps.resilience.clock import Clock, SystemClock
from apps.resilience.errors import KitError, UnknownRate
from apps.resilience.limiter import Feedback, Pace, Reservation
from apps.resilience.limiters import Limiter
from apps.resilience.ports import Store
from apps.resilience.stores.memory import MemoryStore
from apps.resilience.verdicts import feedback_on

P = ParamSpec("P")
T = TypeVar("T")
DEFAULT_QUOTAS_PER_MINUTE: Mapping[str, int] = {
    "newsapi": 100,
    "reddit": 60,
    "twitter": 15,
    "polymarket": 300,
    "gamma": 100,
}


class Rates:
    """Limiters by name, made on first use."""

    def __init__(self, quotas: Mapping[str, int | Pace], *, store: Store, clock: Clock) -> None:
        self._paces = {name: quota if isinstance(quota, Pace) else Pace.per_minute(quota) for name, quota in quotas.items()}
        self._store = store
        self._clock = clock
        self._limiters: dict[str, Limiter] = {}

    def limiter_of(self, name: str) -> Limiter:
        """Return the limiter of this name. Raises UnknownRate."""
        if name not in self._paces:
            raise UnknownRate(f"no rate is known for {name!r}; configure_rates knows {', '.join(sorted(self._paces))}")
        if name not in self._limiters:
            self._limiters[name] = Limiter(name, self._paces[name], store=self._store, clock=self._clock)
        return self._limiters[name]


_configured: list[Rates] = []
_configuring = threading.Lock()


def configure_rates(
    quotas: Mapping[str, int | Pace] | None = None, *, store: Store | None = None, clock: Clock | None = None
) -> None:
    """Set the quotas (calls a minute, or paces) over the defaults, and the store that shares them; forgets what was set."""
    clock = clock or SystemClock()
    rates = Rates({**DEFAULT_QUOTAS_PER_MINUTE, **(quotas or {})}, store=store or MemoryStore(clock), clock=clock)
    with _configuring:
        _configured[:] = [rates]


def limiter_named(name: str) -> Limiter:
    """Return the limiter that `@rate_limited(name)` uses. Raises UnknownRate."""
    if not _configured:
        configure_rates()
    return _configured[0].limiter_of(name)


def rate_limited(name: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a plain or asynchronous function wait for its slot, and learn from how it ends. Raises UnknownRate when called.

    A good end counts as a success; of the kit's own errors, a rate limit slows the pace or pauses it, a passing
    failure slows it a little. What other exceptions mean is not known: they change nothing. A plain function waits on
    the bridge, so do not call it in an event loop.
    """

    def decorate(f: Callable[P, T]) -> Callable[P, T]:
        if inspect.iscoroutinefunction(f):
            return cast("Callable[P, T]", _paced_async(name, f))
        return _paced(name, f)

    return decorate


def _paced_async(name: str, f: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    @functools.wraps(f)
    async def paced(*args: P.args, **kwargs: P.kwargs) -> T:
        limiter = limiter_named(name)
        reservation = await limiter.acquire()
        try:
            answer = await f(*args, **kwargs)
        except KitError as error:
            await _tell(limiter, error, reservation)
            raise
        await limiter.on_success(reservation)
        return answer

    return paced


def _paced(name: str, f: Callable[P, T]) -> Callable[P, T]:
    @functools.wraps(f)
    def paced(*args: P.args, **kwargs: P.kwargs) -> T:
        limiter = limiter_named(name)
        reservation = bridge().run(limiter.acquire())
        try:
            answer = f(*args, **kwargs)
        except KitError as error:
            bridge().run(_tell(limiter, error, reservation))
            raise
        if not limiter.note_success(reservation):
            bridge().run(limiter.flush())
        return answer

    return paced


async def _tell(limiter: Limiter, error: KitError, reservation: Reservation) -> None:
    feedback = feedback_on(error)
    if feedback is Feedback.RATE_LIMIT:
        await limiter.on_rate_limit(error.retry_after_s, reservation=reservation)
    elif feedback is Feedback.ERROR:
        await limiter.on_error(reservation=reservation)
    elif feedback is Feedback.SUCCESS:
        await limiter.on_success(reservation)
