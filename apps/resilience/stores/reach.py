"""Whether a shared store can be reached: who asks it, who asks the spare, and when it is tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from apps.resilience.clock import Clock, SystemClock
from apps.resilience.errors import StoreUnavailable
from apps.resilience.hooks import Hook, StoreFellBack, tell

T = TypeVar("T")
HOLIDAY_S = 1.0  # after a failure the shared store is left alone this long, so that each caller does not wait for it


class Reach:
    """Asks the shared store; when it is away, the spare. After a holiday one caller tries the shared store again.

    `fallbacks` counts the answers of the spare; `returns` how often the shared store came back.
    """

    def __init__(self, *, clock: Clock | None = None, hooks: Sequence[Hook] = ()) -> None:
        self._clock = clock or SystemClock()
        self._hooks = hooks
        self._is_trying = False
        self._away_until_s = float("-inf")
        self.is_away = False
        self.fallbacks = 0
        self.returns = 0

    async def ask(self, verb: str, shared: Callable[[], Awaitable[T]], spare: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """Return the answer, and whether it is the shared store's."""
        if self._may_ask():
            try:
                return await self._asked(shared), True
            except StoreUnavailable:
                self.is_away = True
                self._away_until_s = self._clock.monotonic_s() + HOLIDAY_S
        self.fallbacks += 1
        tell(self._hooks, StoreFellBack(verb=verb, count=self.fallbacks))
        return await spare(), False

    def _may_ask(self) -> bool:
        return not self.is_away or (not self._is_trying and self._clock.monotonic_s() >= self._away_until_s)

    async def _asked(self, shared: Callable[[], Awaitable[T]]) -> T:
        is_trial = self.is_away
        self._is_trying = self._is_trying or is_trial
        try:
            answer = await shared()
        finally:
            if is_trial:
                self._is_trying = False
        if is_trial:
            self.is_away = False
            self.returns += 1
        return answer
