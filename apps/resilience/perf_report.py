"""The report of the perf monitor: frozen, in seconds, ready to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from apps.resilience.figures import NANOSECONDS, RELATIVE_ERROR, Durations, Figures, Life

ALIVE_S = 20.0  # a process that was not heard of for this long is taken for ended
HIT, MISS = ".hit", ".miss"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationReport:
    """One operation. Percentiles are within `PerfReport.relative_error` of true values; the other figures are exact."""

    count: int
    errors: int
    errors_by_kind: Mapping[str, int]
    mean_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    min_s: float
    max_s: float
    total_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfReport:
    """The figures of one day (UTC). `is_shared` is False when they are those of this process alone.

    `uptime_s` is that of the oldest process that is alive; `hit_rates` are between 0 and 1.
    """

    day: str
    is_shared: bool
    processes: int
    uptime_s: float
    relative_error: float
    operations: Mapping[str, OperationReport]
    counters: Mapping[str, int]
    hit_rates: Mapping[str, float]

    def as_dict(self) -> dict[str, object]:
        """Return the report as JSON can hold it."""
        return asdict(self)


def report_of(figures: Figures, *, day: str, now_s: float, lives: Mapping[str, Life], is_shared: bool) -> PerfReport:
    """Return the report of these figures."""
    alive = [life for life in lives.values() if now_s - life.seen_s < ALIVE_S]
    return PerfReport(
        day=day,
        is_shared=is_shared,
        processes=len(alive),
        uptime_s=max((now_s - life.started_s for life in alive), default=0.0),
        relative_error=RELATIVE_ERROR,
        operations={name: _operation(figures.operations[name]) for name in sorted(figures.operations)},
        counters=dict(sorted(figures.counters.items())),
        hit_rates=_hit_rates(figures.counters),
    )


def _operation(durations: Durations) -> OperationReport:
    return OperationReport(
        count=durations.count,
        errors=sum(durations.errors.values()),
        errors_by_kind=dict(sorted(durations.errors.items())),
        mean_s=durations.total_ns / durations.count / NANOSECONDS,
        p50_s=durations.percentile_s(0.50),
        p95_s=durations.percentile_s(0.95),
        p99_s=durations.percentile_s(0.99),
        min_s=durations.low_ns / NANOSECONDS,
        max_s=durations.high_ns / NANOSECONDS,
        total_s=durations.total_ns / NANOSECONDS,
    )


def _hit_rates(counters: Mapping[str, int]) -> dict[str, float]:
    """Return hits ÷ (hits + misses) for every name that has either."""
    names = {name.removesuffix(HIT).removesuffix(MISS) for name in counters if name.endswith((HIT, MISS))}
    rates = {}
    for name in sorted(names):
        hits, misses = counters.get(name + HIT, 0), counters.get(name + MISS, 0)
        if hits + misses > 0:
            rates[name] = hits / (hits + misses)
    return rates
