"""How old is good enough: pure decisions about kept values, without a clock, a store or a loader.

The ladder of one value, by its age:

    0 ── fresh_s ── + revalidate_s ───────────── aged_s (24 h) ───────── kept_s (7 days)
    serve │ serve, refresh  │ load; if that fails: serve │ load; if that fails: serve │ forgotten:
          │ behind          │ as AGED with the reason    │ as STALE with the reason   │ the error

Shortly before `fresh_s` a hot value is refreshed early, with a probability that grows, so that its readers never meet its
end together. Source: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015:
refresh when  age − cost · beta · ln(u) ≥ fresh_s  for u uniform in (0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

DAY_S = 86_400.0
PAUSES_OF_AN_OUTAGE = 10  # so many pauses after a failure, readers of an old value are not made to wait for the next attempt


class Grade(StrEnum):
    """How good a served value is."""

    FRESH = "fresh"  # as young as its rule asks for; the window of revalidation included, unless a refresh failed
    AGED = "aged"  # older than that, because a refresh failed, and younger than a day
    STALE = "stale"  # older still: whoever shows or uses it must say so


class Step(StrEnum):
    """What a reader does next."""

    SERVE = "serve"
    SERVE_EARLY = "serve_early"  # fresh, and one refresh runs behind before it ends
    SERVE_BEHIND = "serve_behind"  # past its end, and one refresh runs behind
    LOAD = "load"
    REFUSE = "refuse"  # nothing is kept and the last failure is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRule:
    """How long one kind of value is good. All in seconds.

    `negative_s`: a lasting failure (a 404) is remembered this long. `retry_s`: after a passing failure nobody tries again
    for this long while an old value can be served. `early_beta`: 0 never refreshes early, 1 is the paper's optimum.
    """

    fresh_s: float
    revalidate_s: float = 0.0
    aged_s: float = DAY_S
    kept_s: float = 7 * DAY_S
    negative_s: float = 30.0
    retry_s: float = 2.0
    early_beta: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a ladder whose steps are out of order."""
        if not 0 <= self.fresh_s <= self.aged_s <= self.kept_s or self.kept_s == 0:
            raise ValueError("a cache rule needs 0 <= fresh_s <= aged_s <= kept_s, and kept_s above zero")
        if min(self.revalidate_s, self.negative_s, self.retry_s, self.early_beta) < 0:
            raise ValueError("a cache rule knows no negative numbers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of a key. Ages in seconds, None when there is no value, or no failure since it was stored.

    `is_lasting` says that the failure will come again (a 404), `cost_s` how long the last load took.
    """

    age_s: float | None = None
    cost_s: float = 0.0
    failure_age_s: float | None = None
    is_lasting: bool = False


def grade_of(age_s: float, rule: CacheRule, *, has_failed: bool) -> Grade:
    """Return the grade of a value of this age; `has_failed` says that a refresh has failed since it was stored."""
    fresh_s = rule.fresh_s if has_failed else rule.fresh_s + rule.revalidate_s
    if age_s < fresh_s:
        return Grade.FRESH
    return Grade.AGED if age_s < rule.aged_s else Grade.STALE


def next_step(standing: Standing, rule: CacheRule, *, draw: float) -> Step:
    """Return what a reader does who is not forcing a load; `draw` is uniform in [0, 1)."""
    if standing.age_s is None or standing.age_s >= rule.kept_s:
        return Step.REFUSE if standing.is_lasting and is_resting(standing, rule) else Step.LOAD
    if standing.age_s < rule.fresh_s:
        is_early = not is_resting(standing, rule) and is_early_due(standing, rule, draw=draw)
        return Step.SERVE_EARLY if is_early else Step.SERVE
    if is_resting(standing, rule):
        return Step.SERVE
    is_in_window = standing.age_s < rule.fresh_s + rule.revalidate_s
    return Step.SERVE_BEHIND if is_in_window or _is_outage(standing, rule) else Step.LOAD


def is_resting(standing: Standing, rule: CacheRule) -> bool:
    """Whether the last failure is so recent that nobody should try again yet."""
    pause_s = rule.negative_s if standing.is_lasting else rule.retry_s
    return standing.failure_age_s is not None and standing.failure_age_s < pause_s


def is_early_due(standing: Standing, rule: CacheRule, *, draw: float) -> bool:
    """Whether this reader is the one who refreshes a fresh value before its end (see the source above)."""
    if standing.age_s is None:
        return False
    ahead_s = -standing.cost_s * rule.early_beta * math.log(1.0 - draw)
    return ahead_s > 0 and standing.age_s + ahead_s >= rule.fresh_s


def _is_outage(standing: Standing, rule: CacheRule) -> bool:
    """Whether a failure is recent enough to expect another: its readers then wait for nothing."""
    return standing.failure_age_s is not None and standing.failure_age_s < PAUSES_OF_AN_OUTAGE * rule.retry_s
