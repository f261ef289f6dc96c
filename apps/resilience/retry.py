"""When a failed call is made again: 2, 4, 8 seconds with full jitter, never before Retry-After, under a budget.

Full jitter (a delay drawn evenly from 0 to the step) spreads the callers best:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/. The budget keeps an outage from being
made worse: over any run of calls, repeats stay at or under a tenth of the first attempts, with a small advance so
that a process that has just started may repeat too; the advance is paid back before new credit grows. Each process keeps
its own budget, and from its thirtieth call on it has made at most a tenth more calls than it was asked for: so have four
processes with 500 calls each, together. What counts besides is that no layer above or below repeats in silence: the HTTP
library's own repeats are switched off in `session.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from apps.resilience.clock import chance
from apps.resilience.errors import KitError, Refused

RETRY_AFTER_S_MAX = 60.0  # a longer wish is the limiter's pause, not a reason to hold a caller


@dataclass(frozen=True, slots=True)
class RetryRule:
    """How often and after which delays a transient failure is repeated."""

    delays_s: tuple[float, ...] = (2.0, 4.0, 8.0)
    share: float = 0.1
    advance: float = 3.0


NO_RETRY = RetryRule(delays_s=())


@dataclass(slots=True)
class RetryBudget:
    """How many repeats the recent calls have earned."""

    rule: RetryRule
    credit: float = field(init=False)
    debt: float = field(init=False)

    def __post_init__(self) -> None:
        self.credit = self.rule.advance
        self.debt = self.rule.advance

    def earn(self) -> None:
        """Count a first attempt: it pays the advance back, then earns its share of a repeat."""
        if self.debt > 0:
            self.debt -= self.rule.share
        else:
            self.credit = min(self.credit + self.rule.share, self.rule.advance)

    def spend(self) -> bool:
        """Pay for one repeat; False when there is not enough credit."""
        if self.credit < 1.0:
            return False
        self.credit -= 1.0
        return True


def delay_before_retry(error: KitError, *, attempt: int, rule: RetryRule, draw: Callable[[], float] = chance) -> float | None:
    """Return the seconds to wait before attempt `attempt + 1`, or None when it must not be made.

    `attempt` counts from 1; `draw` gives a number in [0, 1).
    """
    # What the kit itself refused would only be refused again: the caller learns it at once.
    if isinstance(error, Refused) or not error.transient or attempt > len(rule.delays_s):
        return None
    delay_s = rule.delays_s[attempt - 1] * draw()
    if error.retry_after_s is None:
        return delay_s
    if error.retry_after_s > RETRY_AFTER_S_MAX:
        return None
    return max(delay_s, error.retry_after_s)
