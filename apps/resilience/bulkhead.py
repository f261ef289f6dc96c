"""A bulkhead: no other side may have more than its share of the connections, so that a slow one sinks nobody else.

At most `concurrent` calls are on their way at once; up to `queued` more wait in line, each for at most `wait_s`; whoever
comes after that is refused at once. First come, first served. It lives in one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from apps.resilience.errors import BulkheadFull


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkheadRule:
    """The share of one other side: calls at once, calls in line, and the longest stay in line in seconds."""

    concurrent: int = 32
    queued: int = 1_000
    wait_s: float = 10.0

    def __post_init__(self) -> None:
        if self.concurrent < 1 or self.queued < 0 or self.wait_s < 0:
            raise ValueError(f"a bulkhead needs a place and no negative limits: {self}")


class Bulkhead:
    """The places of one other side."""

    def __init__(self, key: str, rule: BulkheadRule) -> None:
        self._key = key
        self._rule = rule
        self._line: deque[asyncio.Future[None]] = deque()
        self.inside = 0

    @property
    def waiting(self) -> int:
        """How many calls stand in line."""
        return len(self._line)

    def try_enter(self) -> bool:
        """Take a place if one is free and nobody stands in line."""
        if self.inside >= self._rule.concurrent or self._line:
            return False
        self.inside += 1
        return True

    async def enter(self, left_s: float) -> None:
        """Take a place, waiting for at most the rule's time and `left_s`. Raises BulkheadFull."""
        if self.try_enter():
            return
        if len(self._line) >= self._rule.queued:
            raise BulkheadFull(f"too many calls to {self._key} are waiting already")
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        alarm = loop.call_later(min(self._rule.wait_s, left_s), _give_up, turn, self._key)
        self._line.append(turn)
        try:
            await turn
        except BaseException:
            self._step_out(turn)
            raise
        finally:
            alarm.cancel()

    def leave(self) -> None:
        """Give the place back; the next in line has it at once."""
        self.inside -= 1
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                self.inside += 1
                turn.set_result(None)
                return

    def _step_out(self, turn: asyncio.Future[None]) -> None:
        """Leave the line; a place that was handed over in the same moment goes on to the next."""
        if turn in self._line:
            self._line.remove(turn)
        elif turn.done() and not turn.cancelled() and turn.exception() is None:
            self.leave()


def _give_up(turn: asyncio.Future[None], key: str) -> None:
    if not turn.done():
        turn.set_exception(BulkheadFull(f"no place among the calls to {key} in time"))
