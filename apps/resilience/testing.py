"""For tests of code that uses the kit: a clock that jumps, a way to wait for nothing, an upstream that follows a script."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

from apps.resilience.clock import Clock, SystemClock
from apps.resilience.errors import KitError, TimedOut
from apps.resilience.exchange import Answer, Request
from apps.resilience.policy import Policy


class FakeClock:
    """A clock that moves only when told to, or when somebody sleeps on it; `slept_s` keeps every sleep."""

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        self._now_s = start_s
        self.slept_s: list[float] = []

    def now_s(self) -> float:
        """Return the clock's present."""
        return self._now_s

    def monotonic_s(self) -> float:
        """Return the clock's present; it never goes back."""
        return self._now_s

    async def sleep_s(self, duration_s: float) -> None:
        """Jump ahead instead of waiting."""
        self.slept_s.append(duration_s)
        self.advance(max(0.0, duration_s))

    def advance(self, duration_s: float) -> None:
        """Move the clock ahead. Raises ValueError for a step back."""
        if duration_s < 0:
            raise ValueError("a clock does not go back")
        self._now_s += duration_s


Line = bytes | KitError | Answer | Callable[[Request], "bytes | KitError | Answer"]


class ScriptedUpstream:
    """Another side that answers by a script, for `Client(transport=…)`: the layers are real, the wire is not.

    Each line is a body (answered with status 200), an `Answer`, an error to raise, or a function of the request that
    gives one of these. `by_path` has scripts of their own for the paths that it names. A script's last line is repeated
    for ever. `requests` keeps what was asked, in order; `latency_s` passes on the clock before each answer.
    """

    def __init__(
        self,
        *script: Line,
        by_path: Mapping[str, Sequence[Line]] | None = None,
        clock: Clock | None = None,
        latency_s: float = 0.0,
    ) -> None:
        self._script = deque(script)
        self._by_path = {path: deque(lines) for path, lines in (by_path or {}).items()}
        self._clock = clock or SystemClock()
        self._latency_s = latency_s
        self.requests: list[Request] = []

    async def __call__(self, request: Request, policy: Policy, left_s: float) -> Answer:
        """Give the next answer of the script. Raises TimedOut when there is no time for it."""
        self.requests.append(request)
        await self._clock.sleep_s(min(self._latency_s, max(0.0, left_s)))
        if left_s <= self._latency_s:
            raise TimedOut(f"no complete answer in time from {policy.key}")
        script = self._by_path.get(urlsplit(request.url).path, self._script)
        if not script:
            raise LookupError(f"no line is left for {request.url}")
        line = script.popleft() if len(script) > 1 else script[0]
        answer = line(request) if callable(line) else line
        if isinstance(answer, KitError):
            raise answer
        if isinstance(answer, bytes):
            return Answer(status=200, headers={}, body=answer, received_at_s=self._clock.now_s())
        return answer

    async def close(self) -> None:
        """Forget the script: who asks after this finds nothing."""
        self._script.clear()
        self._by_path.clear()


@contextmanager
def no_waiting() -> Iterator[list[float]]:
    """Let every sleep of the system's clock return at once within the block; yields the sleeps that were asked for."""
    original = SystemClock.sleep_s
    asked_s: list[float] = []

    async def at_once(_clock: SystemClock, duration_s: float) -> None:
        asked_s.append(duration_s)

    setattr(SystemClock, "sleep_s", at_once)  # noqa: B010  # a patched method, put back below
    try:
        yield asked_s
    finally:
        setattr(SystemClock, "sleep_s", original)  # noqa: B010
