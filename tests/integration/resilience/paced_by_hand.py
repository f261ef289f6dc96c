"""The paced queue's Lua with a clock that is set by hand, so that hours pass in seconds, and its pure twin with the same clock."""

from __future__ import annotations

import functools
from typing import Any

from apps.resilience import BreakerRule, Feedback, MemoryStore, Pace
from apps.resilience.limiter import pause_us_of
from apps.resilience.stores import breaker_scripts, pace_scripts, slot_scripts
from apps.resilience.stores.connections import Script
from apps.resilience.stores.paced_redis import RedisPaced
from apps.resilience.stores.redis import TTL_MS
from apps.resilience.windows import MICROSECONDS

START_US = 1_700_000_000 * MICROSECONDS
RULE = BreakerRule(failures=1, open_s=5.0)
READING = "local clock = redis.call('TIME')\nlocal now = clock[1] * 1000000 + clock[2]\n"


@functools.cache
def timed(script: Script) -> Script:
    return Script(script.text.replace(READING, "local now = tonumber(table.remove(ARGV))\n"))


ADAPT, OVERRIDE = Script(pace_scripts.ADAPT), Script(slot_scripts.OVERRIDE)
REPORT = Script(breaker_scripts.REPORT)


class ByHand(MemoryStore):
    """A store whose clock is set in whole microseconds."""

    present_us = START_US

    def now_us(self) -> int:
        return self.present_us


class ByHandRedis(RedisPaced):
    """The scripts with their clock replaced by their last argument."""

    present_us = START_US

    def _evaluate(self, script: Script, keys: list[str], words: list[Any]) -> Any:
        if READING not in script.text:
            return super()._evaluate(script, keys, words)
        return super()._evaluate(timed(script), keys, [*words, self.present_us])

    def adapt(self, source: str, pace: Pace, feedback: Feedback, retry_after_s: float | None) -> None:
        pause_us = -1 if retry_after_s is None else pause_us_of(retry_after_s)
        words = [pace.interval_us, feedback.value, pause_us, TTL_MS, pace.window_us, int(feedback is Feedback.SUCCESS), -1]
        self._evaluate(ADAPT, [f"{self._prefix}{{{source}}}:pace"], words)

    def override(self, source: str, interval_us: int) -> None:
        self._evaluate(OVERRIDE, [f"{self._prefix}{{{source}}}:pace"], [interval_us, TTL_MS])

    def fail(self, source: str) -> None:
        keys = [f"{self._prefix}{{{source}}}:{name}" for name in ("breaker", "probes")]
        limits = [RULE.failures, RULE.open_us, RULE.window_us, RULE.calls_min, RULE.failure_rate, RULE.slow_rate, TTL_MS]
        self._evaluate(REPORT, keys, [0, "failure", "", 1, 1, 0, 0, *limits])
