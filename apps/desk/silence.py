"""Why signals are silent: the gate's verdict on every group, with its numbers."""

from __future__ import annotations

from django.core.cache import cache

from apps.desk.types import GateRow
from apps.signals import selectors as signals
from apps.signals.gate import DAYS_MIN, EVENTS_MIN, Verdict

# The evidence moves with every settlement at most, and its bootstrap costs more than the rest of the page.
CACHE_S = 15
CACHE_KEY = "desk:gate"

NEEDS = {"events": EVENTS_MIN, "days": DAYS_MIN}


def gate_rows() -> tuple[GateRow, ...]:
    """Return one row for each group that has a price to beat; at most CACHE_S seconds old."""
    rows: tuple[GateRow, ...] | None = cache.get(CACHE_KEY)
    if rows is None:
        rows = tuple(gate_row(source, category, verdict) for (source, category), verdict in signals.verdicts().items())
        cache.set(CACHE_KEY, rows, timeout=CACHE_S)
    return rows


def gate_row(source: str, category: str, verdict: Verdict) -> GateRow:
    """Put one row together."""
    evidence = verdict.evidence
    return GateRow(
        source=source,
        category=category,
        is_open=verdict.is_proven,
        events=evidence.events,
        days=evidence.days,
        gain=evidence.gain.mean,
        gain_low=evidence.gain.low,
        closing_value=evidence.clv.mean,
        closing_value_low=evidence.clv.low,
        sentence=verdict.reason,
    )
