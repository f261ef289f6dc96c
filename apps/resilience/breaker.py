"""A circuit breaker as a pure state machine.

    closed ──(5 failures in a row)──> open ──(60 s)──> half-open ──(a probe succeeds)──> closed
                                        ^                  │
                                        └──(a probe fails)─┘

In half-open at most `probes` calls may be on their way at once, counted in the shared state, so the limit holds
across processes. A probe whose process died gives its place back after `probe_lease_s`. Every change of state starts
a new `generation`; a report of an older generation is news of another time and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

MICROSECONDS = 1_000_000


class BreakerPhase(StrEnum):
    """The three states of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Verdict(StrEnum):
    """What a finished call says about the other side's health; NEUTRAL gives a probe's place back and says nothing."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """When a breaker opens, for how long, and how many probes may test the other side."""

    failures: int = 5
    open_s: float = 60.0
    probes: int = 1
    probe_lease_s: float = 60.0

    @property
    def open_us(self) -> int:
        """The time that it stays open, in microseconds."""
        return int(self.open_s * MICROSECONDS)

    @property
    def probe_lease_us(self) -> int:
        """The time after which a probe that never reported is given up, in microseconds."""
        return int(self.probe_lease_s * MICROSECONDS)


@dataclass(frozen=True, slots=True)
class BreakerState:
    """What is remembered of one key."""

    phase: BreakerPhase = BreakerPhase.CLOSED
    failures: int = 0
    generation: int = 0
    until_us: int = 0  # open: when it ends; half-open: when the present probes' lease ends
    probes: int = 0


@dataclass(frozen=True, slots=True)
class Admission:
    """The breaker's answer: whether the call may go, in which state, and for a refused one when to come again."""

    allowed: bool
    phase: BreakerPhase
    generation: int
    retry_after_s: float = 0.0


def admit(state: BreakerState, rule: BreakerRule, *, now_us: int) -> tuple[BreakerState, Admission]:
    """Decide whether a call may go now; in half-open an allowed call is counted as a probe."""
    if state.phase is BreakerPhase.CLOSED:
        return state, Admission(allowed=True, phase=state.phase, generation=state.generation)
    if state.phase is BreakerPhase.OPEN and now_us >= state.until_us:
        state = BreakerState(phase=BreakerPhase.HALF_OPEN, generation=state.generation + 1)
    if state.phase is BreakerPhase.HALF_OPEN:
        return _admit_probe(state, rule, now_us=now_us)
    return state, _refusal(state, now_us)


def _admit_probe(state: BreakerState, rule: BreakerRule, *, now_us: int) -> tuple[BreakerState, Admission]:
    probes = 0 if now_us >= state.until_us else state.probes
    if probes >= rule.probes:
        return state, _refusal(state, now_us)
    state = replace(state, probes=probes + 1, until_us=now_us + rule.probe_lease_us)
    return state, Admission(allowed=True, phase=state.phase, generation=state.generation)


def _refusal(state: BreakerState, now_us: int) -> Admission:
    wait_s = max(0, state.until_us - now_us) / MICROSECONDS
    return Admission(allowed=False, phase=state.phase, generation=state.generation, retry_after_s=wait_s)


def report(state: BreakerState, rule: BreakerRule, verdict: Verdict, *, generation: int, now_us: int) -> BreakerState:
    """Take the verdict of a call that was admitted in `generation`."""
    if generation != state.generation or state.phase is BreakerPhase.OPEN:
        return state
    if state.phase is BreakerPhase.HALF_OPEN:
        return _report_probe(state, rule, verdict, now_us=now_us)
    if verdict is Verdict.SUCCESS:
        return replace(state, failures=0)
    if verdict is Verdict.NEUTRAL:
        return state
    return _tripped(replace(state, failures=state.failures + 1), rule, now_us=now_us)


def _report_probe(state: BreakerState, rule: BreakerRule, verdict: Verdict, *, now_us: int) -> BreakerState:
    if verdict is Verdict.NEUTRAL:
        return replace(state, probes=max(0, state.probes - 1))
    if verdict is Verdict.SUCCESS:
        return BreakerState(generation=state.generation + 1)
    return _tripped(replace(state, failures=rule.failures), rule, now_us=now_us)


def _tripped(state: BreakerState, rule: BreakerRule, *, now_us: int) -> BreakerState:
    if state.failures < rule.failures:
        return state
    return BreakerState(
        phase=BreakerPhase.OPEN,
        failures=state.failures,
        generation=state.generation + 1,
        until_us=now_us + rule.open_us,
    )


def reset(state: BreakerState) -> BreakerState:
    """Close the breaker by hand; calls on their way no longer count."""
    return BreakerState(generation=state.generation + 1)
