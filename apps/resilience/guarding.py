"""The forms in which a breaker guards a piece of code: careful plain calls, decorator and context managers."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from apps.resilience.breaker import Admission, Verdict
from apps.resilience.bridge import bridge

P = ParamSpec("P")
T = TypeVar("T")
# What `with` blocks were entered in this context, innermost last: blocks of one context nest, so a stack is enough.
_entered: ContextVar[tuple[tuple[Admission, float], ...]] = ContextVar("breakers_entered", default=())


class Guarding(ABC):
    """What a breaker can do with its `admit`, `note` and `report`."""

    _tick: Callable[[], float]

    @abstractmethod
    def try_admit(self) -> Admission | None:
        """Answer without a round trip, or None."""

    @abstractmethod
    async def admit(self) -> Admission:
        """Let the call go, or raise BreakerOpen."""

    @abstractmethod
    def note(self, admission: Admission, verdict: Verdict, duration_s: float) -> bool:
        """Take the verdict without a round trip, or answer False."""

    @abstractmethod
    async def report(self, admission: Admission, verdict: Verdict, duration_s: float = 0.0) -> None:
        """Say how an admitted call went."""

    @abstractmethod
    def verdict_on(self, error: BaseException) -> Verdict:
        """Return what an exception says about the other side."""

    @abstractmethod
    def call(self, f: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `f`."""

    @abstractmethod
    async def call_async(self, f: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await `f`."""

    def __call__(self, f: Callable[P, T]) -> Callable[P, T]:
        """Decorate a plain or an asynchronous function."""
        if inspect.iscoroutinefunction(f):
            awaiting = cast("Callable[..., Awaitable[Any]]", f)

            @functools.wraps(f)
            async def guarded_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await self.call_async(awaiting, *args, **kwargs)

            return cast("Callable[P, T]", guarded_async)

        @functools.wraps(f)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            return self.call(f, *args, **kwargs)

        return guarded

    def __enter__(self) -> Self:
        """Let the block go. Raises BreakerOpen."""
        _enter(self._admit_plainly(), self._tick())
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        """Report how the block went."""
        admission, started_s = _leave()
        verdict = Verdict.SUCCESS if error is None else self.verdict_on(error)
        self._report_plainly(admission, verdict, self._tick() - started_s)

    async def __aenter__(self) -> Self:
        """Let the block go. Raises BreakerOpen."""
        _enter(await self.admit(), self._tick())
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Report how the block went."""
        admission, started_s = _leave()
        verdict = Verdict.SUCCESS if error is None else self.verdict_on(error)
        await self.report(admission, verdict, self._tick() - started_s)

    def _call_with_care(self, f: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `f` where the view alone does not settle it."""
        admission, started_s = self._admit_plainly(), self._tick()
        try:
            answer = f(*args, **kwargs)
        except BaseException as error:
            self._report_plainly(admission, self.verdict_on(error), self._tick() - started_s)
            raise
        self._report_plainly(admission, Verdict.SUCCESS, self._tick() - started_s)
        return answer

    def _admit_plainly(self) -> Admission:
        return self.try_admit() or bridge().run(self.admit())

    def _report_plainly(self, admission: Admission, verdict: Verdict, duration_s: float) -> None:
        if not self.note(admission, verdict, duration_s):
            bridge().run(self.report(admission, verdict, duration_s))


def _enter(admission: Admission, started_s: float) -> None:
    _entered.set((*_entered.get(), (admission, started_s)))


def _leave() -> tuple[Admission, float]:
    *outer, innermost = _entered.get()
    _entered.set(tuple(outer))
    return innermost
