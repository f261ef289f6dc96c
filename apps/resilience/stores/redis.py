"""State shared by all processes: Lua scripts on Redis or Valkey, one round trip a verb."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, cast

from redis import asyncio as redis_asyncio
from redis.exceptions import RedisError

from apps.resilience import limiter
from apps.resilience.breaker import Admission, BreakerPhase, BreakerRule, BreakerState, Verdict
from apps.resilience.errors import StoreUnavailable
from apps.resilience.limiter import MICROSECONDS, Feedback, Pace, PaceState, Reservation
from apps.resilience.stores import scripts

TTL_MS = 86_400_000  # a day without a call and a key is forgotten
SOCKET_TIMEOUT_S = 0.5  # the limiter must cost microseconds; a store that is slower than this is gone


class RedisStore:
    """Limiters and breakers under `prefix`, timed by the server's clock."""

    def __init__(self, url: str, *, prefix: str = "kit:", timeout_s: float = SOCKET_TIMEOUT_S) -> None:
        self._prefix = prefix
        self._redis = redis_asyncio.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            socket_keepalive=True,
            health_check_interval=15,
            decode_responses=True,
        )
        self._reserve = self._redis.register_script(scripts.RESERVE)
        self._adapt = self._redis.register_script(scripts.ADAPT)
        self._admit = self._redis.register_script(scripts.ADMIT)
        self._report = self._redis.register_script(scripts.REPORT)
        self._reset = self._redis.register_script(scripts.RESET)

    async def reserve(self, key: str, pace: Pace, *, wait_s_max: float) -> Reservation:
        """Take the next free slot of `key` if it lies within `wait_s_max`."""
        arguments = [pace.interval_us, pace.tolerance_us, int(wait_s_max * MICROSECONDS), TTL_MS]
        granted, wait_us, interval_us = await _answer(self._reserve([self._pace(key)], arguments))
        return Reservation(granted=bool(granted), wait_s=int(wait_us) / MICROSECONDS, interval_s=int(interval_us) / MICROSECONDS)

    async def adapt(self, key: str, pace: Pace, feedback: Feedback, *, retry_after_s: float | None = None) -> None:
        """Tell the limiter of `key` what the other side answered."""
        pause_us = -1
        if retry_after_s is not None:
            pause_us = int(min(max(retry_after_s, 0.0), limiter.PAUSE_S_MAX) * MICROSECONDS)
        factors = [limiter.FASTER, limiter.SLOWER_ON_LIMIT, limiter.SLOWER_ON_ERROR]
        slowest_us = pace.interval_us * limiter.SLOWEST_FACTOR
        steps = limiter.SUCCESSES_PER_STEP
        arguments = [pace.interval_us, feedback.value, pause_us, TTL_MS, steps, *factors, slowest_us]
        await _answer(self._adapt([self._pace(key)], arguments))

    async def look_pace(self, key: str) -> PaceState:
        """Return the limiter's state without changing it."""
        names = ["arrival", "interval", "successes", "paused"]
        arrival, interval, successes, paused = await _answer(self._redis.hmget(self._pace(key), names))
        return PaceState(
            arrival_us=int(arrival or 0),
            interval_us=int(interval or 0),
            successes=int(successes or 0),
            paused_until_us=int(paused or 0),
        )

    async def admit(self, key: str, rule: BreakerRule) -> Admission:
        """Ask the breaker of `key` whether a call may go."""
        arguments = [rule.probes, rule.probe_lease_us, TTL_MS]
        allowed, phase, generation, wait_us = await _answer(self._admit([self._breaker(key)], arguments))
        return Admission(
            allowed=bool(allowed),
            phase=BreakerPhase(phase),
            generation=int(generation),
            retry_after_s=int(wait_us) / MICROSECONDS,
        )

    async def report(self, key: str, rule: BreakerRule, verdict: Verdict, *, generation: int) -> BreakerState:
        """Tell the breaker of `key` how the call went and return its state."""
        arguments = [generation, verdict.value, rule.failures, rule.open_us, TTL_MS]
        return _as_state(await _answer(self._report([self._breaker(key)], arguments)))

    async def look_breaker(self, key: str) -> BreakerState:
        """Return the breaker's state without changing it."""
        names = ["phase", "failures", "generation", "until", "probes"]
        return _as_state(await _answer(self._redis.hmget(self._breaker(key), names)))

    async def reset(self, key: str) -> None:
        """Close the breaker of `key` and forget its limiter's adaptations and pauses."""
        await _answer(self._reset([self._breaker(key), self._pace(key)], [TTL_MS]))

    async def close(self) -> None:
        """Let go of connections."""
        await self._redis.aclose()

    # Both keys of one name carry the same hash tag, so that a Redis cluster keeps them on one node.
    def _pace(self, key: str) -> str:
        return f"{self._prefix}{{{key}}}:pace"

    def _breaker(self, key: str) -> str:
        return f"{self._prefix}{{{key}}}:breaker"


async def _answer(command: Awaitable[Any] | Any) -> Sequence[Any]:
    """Wait for Redis's answer. Raises StoreUnavailable whatever way Redis is away."""
    try:
        return cast("Sequence[Any]", await command)
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"{type(error).__name__}: {error}") from error


def _as_state(values: Sequence[Any]) -> BreakerState:
    phase, failures, generation, until_us, probes = values
    return BreakerState(
        phase=BreakerPhase(phase or "closed"),
        failures=int(failures or 0),
        generation=int(generation or 0),
        until_us=int(until_us or 0),
        probes=int(probes or 0),
    )
