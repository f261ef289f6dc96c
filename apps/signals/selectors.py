"""Questions about signals and about the gate that holds them back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Count, QuerySet

from apps.forecasts import selectors as forecasts
from apps.signals import gate
from apps.signals.edge import chance_of
from apps.signals.errors import SignalNotFound
from apps.signals.models import Signal
from apps.signals.types import SignalView

if TYPE_CHECKING:
    from apps.forecasts.types import Evidence

Table = QuerySet[Any, Any]  # rows are dicts

VIEW_COLUMNS = tuple(entry.name for entry in fields(SignalView))


def get_signal(signal_id: str) -> SignalView:
    """Return one signal. Raises SignalNotFound."""
    row = Signal.objects.filter(id=signal_id).first()
    if row is None:
        raise SignalNotFound(signal_id)
    return as_view(row)


def signals_of_market(market_id: str) -> tuple[SignalView, ...]:
    """Return every signal of a market, the newest first."""
    return tuple(as_view(row) for row in Signal.objects.filter(market_id=market_id).order_by("-made_at", "-id"))


def as_view(row: Signal) -> SignalView:
    """Show a row."""
    return SignalView(**{name: getattr(row, name) for name in VIEW_COLUMNS})


def counts_by_state() -> dict[str, int]:
    """Return how many signals there are by `kind/state`."""
    rows = Signal.objects.order_by().values_list("portfolio_kind", "state").annotate(n=Count("id"))
    return {f"{kind}/{state}": count for kind, state, count in rows}


def verdicts() -> dict[tuple[str, str], gate.Verdict]:
    """Return the gate's verdict for every (source, category) that has forecasts beside a price, tested together."""
    groups = forecasts.evidence_groups()
    found = [gate_evidence(source=source, category=category) for source, category in groups]
    return dict(zip(groups, gate.judge_together(found), strict=True))


def verdict(*, source: str, category: str) -> gate.Verdict:
    """Return the gate's verdict for one group; a group without any forecast is unproven."""
    return verdicts().get((source, category), gate.judge(gate.NO_EVIDENCE, None, None))


def gate_evidence(*, source: str, category: str) -> gate.Evidence:
    """Return what the gate looks at for one group: log-loss gain from scores, closing line value from shadow signals."""
    said = forecasts.evidence(source=source, category=category)
    return gate.Evidence(said.events, said.days, _gain(said), closing_line_value(source=source, category=category))


def _gain(said: Evidence) -> gate.Figure:
    return gate.Figure(said.gain, said.gain_low, said.p_value)


def closing_line_value(*, source: str, category: str) -> gate.Figure:
    """Return the mean of (last price before the close - ask when signalled) over shadow signals of resolved markets."""
    shadows = Signal.objects.filter(portfolio_kind="shadow", market__state="resolved", ask__isnull=False)
    ours = shadows.filter(market__source=source, market__category=category).order_by("id")
    rows = list(ours.values_list("market_id", "market__event_id", "outcome__position", "ask"))
    closing = forecasts.closing_prices(market_id for market_id, *_ in rows)
    values, events = [], []
    for market_id, event_id, position, ask in rows:
        if market_id in closing and ask is not None:
            values.append(float(chance_of(position, closing[market_id].price) - ask))
            events.append(event_id)
    if not values:
        return gate.Figure(None, None, None)
    said = forecasts.interval(values, events)
    return gate.Figure(said.mean, said.low, said.p_value)


def decided_kinds(market_ids: Iterable[str], *, rested_before: datetime) -> set[tuple[str, str]]:
    """Return (market, kind of portfolio) pairs that need no further signal now.

    A main signal that was denied or expired before `rested_before` may be followed by another; every other stands.
    """
    ours = Signal.objects.filter(market_id__in=tuple(market_ids)).order_by()
    standing = ours.exclude(portfolio_kind="main", state__in=("denied", "expired"), decided_at__lt=rested_before)
    return set(standing.values_list("market_id", "portfolio_kind"))


def signals_table() -> Table:
    """List signals as dicts with the question and the outcome that they are about."""
    rows: Table = Signal.objects.values(*VIEW_COLUMNS, "decided_at", "market__question", "outcome__label")
    return rows
