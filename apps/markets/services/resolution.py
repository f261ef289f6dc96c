"""Results into the store: from a source's word, or from the bars of an instrument."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from django.db.models import OuterRef, Subquery

from apps.audit import services as audit
from apps.core import bell
from apps.core.db import durable, only_one, transaction, transaction_required
from apps.markets import selectors
from apps.markets.errors import MarketNotFound
from apps.markets.models import Candle, Market, Result
from apps.markets.resolution import Ended, Situation, Waiting, above, at_price, judge
from apps.markets.shapes import as_result
from apps.markets.types import ResultView

if TYPE_CHECKING:
    from apps.sources.types import ResolutionRecord

log = structlog.get_logger(__name__)

ROLLED_SOURCE = "desk"
ROLLED_BATCH_MAX = 500


@dataclass(frozen=True, slots=True)
class End:
    """A market, how it ended, and why we believe so."""

    market: Market
    ended: Ended
    evidence: Mapping[str, Any]


@transaction
def resolve_from_source(
    *, market_id: str, resolution: ResolutionRecord, is_closed: bool, is_stale: bool = False, now: datetime, by: str
) -> ResultView | None:
    """Believe what a source says about the end of a market and return the new result, or None when nothing changed.

    The first believed end is revision 1, the same again changes nothing, another one is the next revision. What does
    not pass the gates waits. Raises MarketNotFound.
    """
    market = Market.objects.select_for_update(no_key=True).filter(id=market_id).first()
    if market is None:
        raise MarketNotFound(market_id)
    outcomes = market.outcomes.count()
    situation = Situation(outcomes=outcomes, closes_at=market.closes_at, is_closed=is_closed, is_stale=is_stale)
    verdict = judge(resolution, situation, now=now)
    if isinstance(verdict, Waiting):
        log.info("resolution_waits", market=market_id, reason=verdict.reason)
        return None
    results = _conclude([End(market, verdict, _word_of(market.source, resolution))], now=now)
    for result in results:
        _record_result(result, source=market.source, now=now, by=by)
    return as_result(results[0]) if results else None


@durable
def resolve_rolled(*, now: datetime, by: str) -> int:
    """Resolve every rolled market whose closing bar has come and return how many there were.

    The closing bar is the first final one at or after the market's close; while there is none the market waits, so
    missing or stale data never settles anything. Nothing is done when another is at it.
    """
    with only_one("markets.resolve-rolled") as is_ours:
        return _resolve_rolled_batch(now=now, by=by) if is_ours else 0


@transaction
def _resolve_rolled_batch(*, now: datetime, by: str) -> int:
    past = Market.objects.filter(source=ROLLED_SOURCE, state__in=selectors.UNRESOLVED, closes_at__lte=now)
    past.filter(state="open").update(state="closed")
    due = past.annotate(bar_id=Subquery(_closing_bar().values("id")[:1])).filter(bar_id__isnull=False)
    markets = list(due.order_by("closes_at", "id").select_for_update(no_key=True)[:ROLLED_BATCH_MAX])
    bars = Candle.objects.in_bulk({market.bar_id for market in markets})
    ends = [_end_at(market, bars[market.bar_id]) for market in markets]
    return len(_conclude_rolled(ends, now=now, by=by))


def _closing_bar() -> Any:
    """Query the first final bar at or after the close of the market around the query."""
    later = Candle.objects.filter(instrument=OuterRef("instrument"), closes_at__gte=OuterRef("closes_at"), is_final=True)
    return later.order_by("closes_at")


@transaction_required
def restate_rolled(*, bars: Sequence[Candle], now: datetime, by: str) -> int:
    """Resolve again the rolled markets that were valued by these bars, whose prices changed; return how many differ."""
    by_moment = {bar.closes_at.isoformat(): bar for bar in bars}
    valued = Result.objects.filter(market__source=ROLLED_SOURCE, market__instrument_id__in={bar.instrument_id for bar in bars})
    valued = valued.filter(evidence__bar_closes_at__in=list(by_moment)).select_related("market").order_by("market_id")
    markets = {(result.market_id, result.evidence["bar_closes_at"]): result.market for result in valued}
    ends = [_end_at(market, by_moment[moment]) for (_, moment), market in markets.items()]
    return len(_conclude_rolled(ends, now=now, by=by))


def _end_at(market: Market, bar: Candle) -> End:
    ended = at_price(bar.close) if market.threshold is None else above(bar.close, market.threshold)
    evidence = {"bar_closes_at": bar.closes_at.isoformat(), "close": f"{bar.close:f}"}
    return End(market, ended, evidence)


def _conclude_rolled(ends: Sequence[End], *, now: datetime, by: str) -> list[Result]:
    """Store the ends of rolled markets."""
    return _conclude_batch(ends, action="rolled-markets.resolved", source=ROLLED_SOURCE, now=now, by=by)


@transaction_required
def conclude_batch(*, ends: Sequence[End], action: str, source: str, now: datetime, by: str) -> int:
    """Store ends that passed the gates with one audit event for all, and return how many were news."""
    return len(_conclude_batch(ends, action=action, source=source, now=now, by=by))


def _conclude_batch(ends: Sequence[End], *, action: str, source: str, now: datetime, by: str) -> list[Result]:
    results = _conclude(ends, now=now)
    if results:
        lines = sorted(f"{result.market_id}:{result.revision}:{sorted(result.payouts.items())}" for result in results)
        detail = {"count": len(results), "digest": hashlib.sha256("\n".join(lines).encode()).hexdigest()}
        audit.record(action=action, subject=source, by=by, now=now, detail=detail)
    return results


def _conclude(ends: Sequence[End], *, now: datetime) -> list[Result]:
    """Store the ends that differ from what was believed, move the markets on, and ring for settlement and scores."""
    believed = selectors.latest_results(market_ids=[end.market.id for end in ends])
    outcome_ids = _outcome_ids([end.market.id for end in ends])
    results = [_result(end, believed.get(end.market.id), outcome_ids[end.market.id], now) for end in ends]
    fresh = Result.objects.bulk_create([result for result in results if result is not None])
    for kind, state in (("final", "resolved"), ("void", "void")):
        ended = [result.market_id for result in fresh if result.kind == kind]
        Market.objects.filter(id__in=ended).update(state=state, accepts_orders=False)
    if fresh:
        bell.ring("tasks.settle.due")
        bell.ring("tasks.forecast.score")
    return fresh


def _outcome_ids(market_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the outcome ids of each market in the order of their positions."""
    found: dict[str, list[str]] = {market_id: [] for market_id in market_ids}
    for view in selectors.markets_by_ids(market_ids).values():
        found[view.id] = [outcome.id for outcome in view.outcomes]
    return found


def _result(end: End, believed: ResultView | None, outcome_ids: list[str], now: datetime) -> Result | None:
    """Build the next revision of a market's result, or None when it is what was believed before."""
    payouts = dict(zip(outcome_ids, end.ended.payouts, strict=end.ended.kind == "final"))
    if believed is not None and (believed.kind, believed.payouts) == (end.ended.kind, payouts):
        return None
    return Result(
        market=end.market,
        revision=believed.revision + 1 if believed else 1,
        kind=end.ended.kind,
        payouts={outcome_id: f"{payout:f}" for outcome_id, payout in payouts.items()},
        evidence=dict(end.evidence),
        observed_at=now,
    )


def _word_of(source: str, resolution: ResolutionRecord) -> dict[str, Any]:
    return {
        "source": source,
        "status": resolution.status,
        "payouts": [f"{payout:f}" for payout in resolution.payouts],
        "resolved_at": resolution.resolved_at.isoformat() if resolution.resolved_at else None,
    }


def _record_result(result: Result, *, source: str, now: datetime, by: str) -> None:
    action = "market.resolved" if result.revision == 1 else "market.restated"
    detail = {"source": source, "revision": result.revision, "kind": result.kind, "payouts": result.payouts}
    audit.record(action=action, subject=result.market_id, by=by, now=now, detail=detail)
