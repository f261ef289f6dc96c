"""A circuit breaker as a pure state machine.

    closed ──(5 failures in a row, or too many failed or slow calls in the window)──> open
    open ──(60 s)──> half-open ──(a probe succeeds)──> closed
                         └──(a probe fails)──> open

The window holds the last `window_s` seconds in ten cells; its two rates are judged only when it holds at least
`calls_min` calls. So a dead vendor opens its breaker after five failures in a row, a vendor that fails every other
call after at most twenty calls (each process adds its own good calls about once a second, its failures at once).

In half-open at most `probes` calls may be on their way at once, counted in the shared state, so the limit holds
across processes. Every probe holds a lease of its own, renewed while the call runs; the place of a prober that died
comes back alone when its lease ends. Every change of phase starts a new `generation`; a report of an older generation
is news of another time and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from apps.resilience.windows import MICROSECONDS, Tally, Window

__all__ = [
    "MICROSECONDS",
    "Admission",
    "BreakerPhase",
    "BreakerRule",
    "BreakerState",
    "Tally",
    "Verdict",
    "admit",
    "key_of",
    "renew",
    "report",
    "reset",
    "tally_of",
]


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
    """When a breaker opens, for how long, and how many probes may test the other side.

    `failures` in a row open it; so does a share of `failure_rate` failed calls, or of `slow_rate` calls longer than
    `slow_s`, among at least `calls_min` calls of the last `window_s`. A prober that is alive keeps its place for at most
    `probe_s_max`; the place of a dead one is free after `probe_lease_s`.
    """

    failures: int = 5
    open_s: float = 60.0
    probes: int = 1
    probe_lease_s: float = 5.0
    probe_s_max: float = 60.0
    window_s: float = 60.0
    calls_min: int = 20
    failure_rate: float = 0.5
    slow_rate: float = 0.8
    slow_s: float = 10.0

    @property
    def open_us(self) -> int:
        """The time that it stays open, in microseconds."""
        return int(self.open_s * MICROSECONDS)

    @property
    def probe_lease_us(self) -> int:
        """The time after which a probe that was neither renewed nor reported is given up, in microseconds."""
        return int(self.probe_lease_s * MICROSECONDS)

    @property
    def window_us(self) -> int:
        """The length of the window, in microseconds."""
        return int(self.window_s * MICROSECONDS)

    def condemns(self, tally: Tally) -> bool:
        """Say whether the calls of the window are enough, and bad enough, to open the breaker."""
        if tally.calls < self.calls_min:
            return False
        return tally.failed >= tally.calls * self.failure_rate or tally.slow >= tally.calls * self.slow_rate


@dataclass(frozen=True, slots=True)
class BreakerState:
    """What is remembered of one key. `window` is as of the latest report; `saved` counts the calls refused."""

    phase: BreakerPhase = BreakerPhase.CLOSED
    failures: int = 0
    generation: int = 0
    until_us: int = 0  # open: when it ends
    leases: tuple[tuple[str, int], ...] = ()  # half-open: (token, end of its lease) of every probe on its way
    window: Window = field(default_factory=Window)
    saved: int = 0
    seen_us: int = field(default=0, compare=False)  # the store's present when it answered

    @property
    def open_for_s(self) -> float:
        """For how long it stayed open when the store answered; 0 when it is not open."""
        return max(0, self.until_us - self.seen_us) / MICROSECONDS

    @property
    def probes(self) -> int:
        """How many probes are on their way."""
        return len(self.leases)


@dataclass(frozen=True, slots=True)
class Admission:
    """The breaker's answer: whether the call may go, in which state, and for a refused one when to come again.

    `token` is the lease of a probe, empty for any other call.
    """

    allowed: bool
    phase: BreakerPhase
    generation: int
    retry_after_s: float = 0.0
    token: str = ""


def key_of(host: str, operation: str = "") -> str:
    """Return the key of a breaker for one host, or for one operation of one host. Keys are free text otherwise."""
    return f"{host.lower()}/{operation}" if operation else host.lower()


def tally_of(verdict: Verdict) -> Tally:
    """Return what one call with this verdict adds to the window."""
    return Tally(calls=int(verdict is not Verdict.NEUTRAL), failed=int(verdict is Verdict.FAILURE))


def admit(state: BreakerState, rule: BreakerRule, *, now_us: int, token: str) -> tuple[BreakerState, Admission]:
    """Decide whether a call may go now; in half-open an allowed call takes a place under `token`."""
    if state.phase is BreakerPhase.CLOSED:
        return state, Admission(allowed=True, phase=state.phase, generation=state.generation)
    if state.phase is BreakerPhase.OPEN and now_us < state.until_us:
        return state, _refusal(state, state.until_us - now_us)
    if state.phase is BreakerPhase.OPEN:
        state = BreakerState(phase=BreakerPhase.HALF_OPEN, generation=state.generation + 1, saved=state.saved)
    return _admit_probe(state, rule, now_us=now_us, token=token)


def _admit_probe(state: BreakerState, rule: BreakerRule, *, now_us: int, token: str) -> tuple[BreakerState, Admission]:
    leases = tuple(lease for lease in state.leases if lease[1] > now_us)
    if len(leases) >= rule.probes:
        return replace(state, leases=leases), _refusal(state, min(until_us for _, until_us in leases) - now_us)
    leases = (*leases, (token, now_us + rule.probe_lease_us))
    admission = Admission(allowed=True, phase=state.phase, generation=state.generation, token=token)
    return replace(state, leases=leases), admission


def _refusal(state: BreakerState, wait_us: int) -> Admission:
    wait_s = wait_us / MICROSECONDS
    return Admission(allowed=False, phase=state.phase, generation=state.generation, retry_after_s=wait_s)


def renew(state: BreakerState, rule: BreakerRule, *, now_us: int, token: str) -> BreakerState:
    """Prolong the lease of a probe that is still on its way; a lease that has ended is not brought back."""
    until_us = now_us + rule.probe_lease_us
    leases = tuple((name, until_us if name == token and ends_us > now_us else ends_us) for name, ends_us in state.leases)
    return replace(state, leases=leases)


def report(
    state: BreakerState,
    rule: BreakerRule,
    verdict: Verdict,
    *,
    generation: int,
    now_us: int,
    token: str = "",
    tally: Tally | None = None,
    saved: int = 0,
) -> BreakerState:
    """Take the verdict of a call that was admitted in `generation`, and what was counted since the last report.

    `tally` holds the calls for the window, by default this one; `saved` the calls refused meanwhile.
    """
    leases = tuple(lease for lease in state.leases if lease[0] != token)
    state = replace(state, saved=state.saved + saved, leases=leases)
    if generation != state.generation or state.phase is BreakerPhase.OPEN:
        return state
    if state.phase is BreakerPhase.HALF_OPEN:
        return _report_probe(state, rule, verdict, now_us=now_us)
    failures = {Verdict.SUCCESS: 0, Verdict.NEUTRAL: state.failures, Verdict.FAILURE: state.failures + 1}[verdict]
    window = state.window.add(tally or tally_of(verdict), now_us=now_us, window_us=rule.window_us)
    state = replace(state, failures=failures, window=window)
    is_bad = failures >= rule.failures or rule.condemns(window.total)
    return _opened(state, rule, now_us=now_us) if is_bad else state


def _report_probe(state: BreakerState, rule: BreakerRule, verdict: Verdict, *, now_us: int) -> BreakerState:
    if verdict is Verdict.NEUTRAL:
        return state
    if verdict is Verdict.SUCCESS:
        return BreakerState(generation=state.generation + 1, saved=state.saved)
    return _opened(replace(state, failures=rule.failures), rule, now_us=now_us)


def _opened(state: BreakerState, rule: BreakerRule, *, now_us: int) -> BreakerState:
    return BreakerState(
        phase=BreakerPhase.OPEN,
        failures=state.failures,
        generation=state.generation + 1,
        until_us=now_us + rule.open_us,
        saved=state.saved,
    )


def reset(state: BreakerState) -> BreakerState:
    """Close the breaker by hand; calls on their way no longer count."""
    return BreakerState(generation=state.generation + 1, saved=state.saved)
