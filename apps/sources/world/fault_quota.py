"""A quota that the vendor does not publish, kept the way vendors keep them. Refused requests take nothing from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Protocol, cast


class Quota(Protocol):
    """Counts requests; `now_s` never goes back by much."""

    def take(self, now_s: float) -> float | None:
        """Take a place and return None, or return the seconds until there is one."""
        ...


@dataclass(slots=True)
class FixedWindow:
    """`requests` in every window of the clock: minute 0, minute 1, …"""

    requests: int
    window_s: float
    window: int = -1
    taken: int = 0

    def take(self, now_s: float) -> float | None:
        """Take a place, or return the seconds until the next window."""
        window = floor(now_s / self.window_s)
        if window != self.window:
            self.window, self.taken = window, 0
        if self.taken >= self.requests:
            return (window + 1) * self.window_s - now_s
        self.taken += 1
        return None


@dataclass(slots=True)
class SlidingWindow:
    """`requests` in any stretch of `window_s`."""

    requests: int
    window_s: float
    taken_s: deque[float] = field(default_factory=deque)

    def take(self, now_s: float) -> float | None:
        """Take a place, or return the seconds until the oldest request is out of the window."""
        while self.taken_s and self.taken_s[0] <= now_s - self.window_s:
            self.taken_s.popleft()
        if len(self.taken_s) >= self.requests:
            return self.taken_s[0] + self.window_s - now_s
        self.taken_s.append(now_s)
        return None


@dataclass(slots=True)
class Bucket:
    """A bucket of `burst` tokens into which `requests` drop evenly in every window."""

    requests: int
    window_s: float
    burst: int
    tokens: float = -1.0
    filled_s: float = 0.0

    def take(self, now_s: float) -> float | None:
        """Take a token, or return the seconds until there is one."""
        rate = self.requests / self.window_s
        if self.tokens < 0:
            self.tokens, self.filled_s = float(self.burst), now_s
        self.tokens = min(self.burst, self.tokens + max(0.0, now_s - self.filled_s) * rate)
        self.filled_s = max(now_s, self.filled_s)
        if self.tokens < 1 - 1e-9:
            return (1 - self.tokens) / rate
        self.tokens = max(0.0, self.tokens - 1)
        return None


def quota_of(params: Mapping[str, object]) -> Quota:
    """Return the quota that a fault's params describe; a bucket without a `burst` holds a whole window's requests."""
    requests, window_s = cast("int", params["requests"]), cast("float", params["window_s"])
    if params["style"] == "sliding":
        return SlidingWindow(requests, window_s)
    if params["style"] == "bucket":
        return Bucket(requests, window_s, burst=cast("int", params["burst"]) or requests)
    return FixedWindow(requests, window_s)
