"""State shared by all processes: Lua scripts on Redis or Valkey, one round trip a verb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.resilience import limiter, windows
from apps.resilience.breaker import Admission, BreakerPhase, BreakerRule, BreakerState, Verdict, tally_of
from apps.resilience.clock import Clock, SystemClock
from apps.resilience.learning import Learned
from apps.resilience.limiter import WAIT_S_MAX, Feedback, Pace, PaceState, Reservation
from apps.resilience.paced_slot import LATE_US_MAX, PaidSlot
from apps.resilience.processes import BEAT_S, GONE_S, fresh_token, name_of_this_process
from apps.resilience.stores import breaker_scripts, pace_scripts, process_scripts, slot_scripts
from apps.resilience.stores.connections import SOCKET_TIMEOUT_S, Connections, Script
from apps.resilience.windows import MICROSECONDS, Tally

TTL_MS = 86_400_000  # a day without a call and a key is forgotten, with what was learned of it
PACE_FIELDS = [
    "arrival", "interval", "successes", "paused", "slowdowns", "floor", "good", "bad", "step", "patience", "quiet_from", "quiet",
    "override",
]  # fmt: skip

RESERVE, ADAPT = Script(slot_scripts.RESERVE), Script(pace_scripts.ADAPT)
REDEEM, OVERRIDE = Script(slot_scripts.REDEEM), Script(slot_scripts.OVERRIDE)
ADMIT, RENEW, REPORT = Script(breaker_scripts.ADMIT), Script(breaker_scripts.RENEW), Script(breaker_scripts.REPORT)
LOOK, RESET, BEAT = Script(breaker_scripts.LOOK), Script(breaker_scripts.RESET), Script(process_scripts.BEAT)


class RedisStore:
    """Limiters and breakers under `prefix`, timed by the server's clock; may be used from several event loops.

    `processes` is the number of processes that used this prefix in the last half minute, as last seen.
    """

    def __init__(
        self, url: str, *, prefix: str = "kit:", timeout_s: float = SOCKET_TIMEOUT_S, clock: Clock | None = None
    ) -> None:
        self._prefix = prefix
        self._clock = clock or SystemClock()
        self._server = Connections(url, timeout_s=timeout_s)
        self._next_beat_s = float("-inf")
        self.processes = 1

    async def reserve(self, key: str, pace: Pace, *, wait_s_max: float, count: int = 1) -> Reservation:
        """Take as many of the next `count` slots of `key` as lie within `wait_s_max`."""
        wait_us_max = int(min(wait_s_max, WAIT_S_MAX) * MICROSECONDS)
        arguments = [pace.interval_us, pace.tolerance_us, wait_us_max, TTL_MS, pace.window_us, count]
        taken, wait_us, interval_us, lead_us, slowdowns = await self._run(RESERVE, [self._pace(key)], arguments)
        return Reservation(
            granted=taken > 0,
            wait_s=wait_us / MICROSECONDS,
            interval_s=interval_us / MICROSECONDS,
            count=taken,
            lead_s=lead_us / MICROSECONDS,
            slowdowns=slowdowns,
        )

    async def adapt(
        self,
        key: str,
        pace: Pace,
        feedback: Feedback,
        *,
        retry_after_s: float | None = None,
        successes: int = 0,
        slowdowns: int | None = None,
    ) -> None:
        """Tell the limiter of `key` what the other side answered."""
        pause_us = -1 if retry_after_s is None else limiter.pause_us_of(retry_after_s)
        good = successes + (feedback is Feedback.SUCCESS)
        known = -1 if slowdowns is None else slowdowns
        arguments = [pace.interval_us, feedback.value, pause_us, TTL_MS, pace.window_us, good, known]
        await self._run(ADAPT, [self._pace(key)], arguments)

    async def look_pace(self, key: str) -> PaceState:
        """Return the limiter's state without changing it."""
        fields = await self._server.hash_of(self._pace(key), PACE_FIELDS)
        arrival, interval, successes, paused, slowdowns, *lessons, override = [int(float(field or 0)) for field in fields]
        return PaceState(arrival, interval, successes, paused, slowdowns, Learned(*lessons), override)

    async def redeem(self, key: str, slot: PaidSlot) -> bool:
        """Say whether a slot that was taken beforehand is still worth a call."""
        arguments = [slot.at_us, slot.slowdowns, LATE_US_MAX]
        return bool(await self._run(REDEEM, [self._pace(key)], arguments))

    async def set_override(self, key: str, interval_us: int) -> None:
        """Set the interval that no caller of `key` may fall below; 0 lifts it."""
        await self._run(OVERRIDE, [self._pace(key)], [interval_us, TTL_MS])

    async def admit(self, key: str, rule: BreakerRule) -> Admission:
        """Ask the breaker of `key` whether a call may go."""
        token = fresh_token()
        arguments = [token, rule.probes, rule.probe_lease_us, TTL_MS]
        allowed, phase, generation, wait_us = await self._run(ADMIT, self._breaker(key), arguments)
        is_probe = allowed and phase == BreakerPhase.HALF_OPEN
        return Admission(
            allowed=bool(allowed),
            phase=BreakerPhase(phase),
            generation=generation,
            retry_after_s=wait_us / MICROSECONDS,
            token=token if is_probe else "",
        )

    async def renew(self, key: str, rule: BreakerRule, *, token: str) -> None:
        """Prolong the lease of a probe that is still on its way."""
        await self._run(RENEW, self._breaker(key), [token, rule.probe_lease_us])

    async def report(
        self,
        key: str,
        rule: BreakerRule,
        verdict: Verdict,
        *,
        generation: int,
        token: str = "",
        tally: Tally | None = None,
        saved: int = 0,
    ) -> BreakerState:
        """Tell the breaker of `key` how the call went and return its state."""
        counted = tally or tally_of(verdict)
        arguments = [generation, verdict.value, token, counted.calls, counted.failed, counted.slow, saved]
        limits = [rule.failures, rule.open_us, rule.window_us, rule.calls_min, rule.failure_rate, rule.slow_rate, TTL_MS]
        return as_state(await self._run(REPORT, self._breaker(key), arguments + limits))

    async def look_breaker(self, key: str) -> BreakerState:
        """Return the breaker's state without changing it."""
        return as_state(await self._server.run(LOOK, self._breaker(key), []))

    async def reset(self, key: str) -> None:
        """Close the breaker of `key` and forget its limiter's adaptations, pauses and lessons."""
        await self._server.run(RESET, [*self._breaker(key), self._pace(key)], [TTL_MS])

    async def close(self) -> None:
        """Let go of connections."""
        await self._server.close()

    async def _run(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        if self._clock.monotonic_s() >= self._next_beat_s:
            await self._beat()
        return await self._server.run(script, keys, arguments)

    async def _beat(self) -> None:
        """Show that this process lives, and count those that do."""
        self._next_beat_s = self._clock.monotonic_s() + BEAT_S
        gone_us = int(GONE_S * MICROSECONDS)
        self.processes = await self._server.run(BEAT, [f"{self._prefix}processes"], [name_of_this_process(), gone_us])

    # All keys of one name carry the same hash tag, so that a Redis cluster keeps them on one node.
    def _pace(self, key: str) -> str:
        return f"{self._prefix}{{{key}}}:pace"

    def _breaker(self, key: str) -> list[str]:
        return [f"{self._prefix}{{{key}}}:breaker", f"{self._prefix}{{{key}}}:probes"]


def as_state(words: Sequence[str]) -> BreakerState:
    """Read a breaker's state as the scripts answer it."""
    phase, failures, generation, until_us, window, saved, seen_us, *leases = words
    return BreakerState(
        phase=BreakerPhase(phase),
        failures=int(failures),
        generation=int(generation),
        until_us=int(until_us),
        leases=tuple((token, int(float(ends))) for token, ends in zip(leases[::2], leases[1::2], strict=True)),
        window=windows.decode(window),
        saved=int(saved),
        seen_us=int(seen_us),
    )
