"""The report of a run: what was seen, forecast, traded, settled and booked, and whether everything adds up.

"Markets" are those that sources list; markets that the desk rolls from instruments go on for ever, so they are counted
apart and are only asked to be settled when they are due.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Min, Q, QuerySet

from apps.audit import selectors as audit
from apps.audit import services as audit_services
from apps.backups import services as backup_services
from apps.core.db import durable
from apps.forecasts import selectors as forecasts
from apps.ledger import selectors as ledger
from apps.markets import selectors as markets
from apps.monitoring import selectors
from apps.news import selectors as news
from apps.portfolio import selectors as portfolios
from apps.settlement import selectors as settlements
from apps.signals import selectors as signals
from apps.tenants import selectors as tenants
from apps.trading import selectors as trading

Figures = dict[str, Any]
Rows = QuerySet[Any, dict[str, Any]]

OURS = "desk"
UNRESOLVED = ("open", "closed")
# A rolled market ends with a bar at or after its close; it is overdue when the ticks had this long and did not end it.
ROLLED_GRACE = timedelta(seconds=60)


def listed() -> Rows:
    """Return the markets that sources list."""
    return markets.markets_table().exclude(source=OURS).order_by()


def rolled() -> Rows:
    """Return the markets that the desk rolled from instruments."""
    return markets.markets_table().filter(source=OURS).order_by()


def settled_ids() -> Rows:
    """Return the ids of markets with a settlement in force, for use in a query."""
    return settlements.settlements_table().filter(reversed_at__isnull=True).order_by().values("market_id")


def pending(*, now: datetime) -> Figures:
    """Return what still has to happen before a run is over; `pending` adds it up."""
    waiting = [
        market_id for tenant in tenants.active_tenants() for market_id in settlements.markets_to_settle(tenant_id=tenant.id)
    ]
    open_business = {
        "unresolved": listed().filter(state__in=UNRESOLVED).count(),
        "overdue_rolled": rolled().filter(state__in=UNRESOLVED, closes_at__lt=now - ROLLED_GRACE).count(),
        "unsettled": listed().filter(id__in=waiting).count(),
        "unfinished_orders": trading.unfinished_orders(),
        "unscored": unscored(),
    }
    return {"pending": sum(open_business.values()), **open_business}


def unscored() -> int:
    """Count the listed markets with a final result whose forecasts have no score yet."""
    answered = markets.results_table().filter(kind="final", market_id__in=listed().values("id")).order_by().values("market_id")
    scored = forecasts.scores_table().order_by().values("market_id")
    said = forecasts.forecasts_table().filter(as_of__lt=F("scheduled_close_at"), market_id__in=answered).order_by()
    return said.exclude(market_id__in=scored).values("market_id").distinct().count()


def counts() -> Figures:
    """Return the counts of the report."""
    by_state = signals.counts_by_state()
    return {
        "markets_seen": listed().count(),
        "markets_settled": listed().filter(id__in=settled_ids()).count(),
        "quotes_stored": markets.quotes_table().order_by().count(),
        "articles_stored": news.articles_table().order_by().count(),
        "forecasts": forecasts.forecasts_table().order_by().count(),
        "signals": sum(by_state.values()),
        "signals_suppressed": sum(count for name, count in by_state.items() if name.endswith("/suppressed")),
        "orders": trading.orders_table().order_by().count(),
        "fills": trading.fills_table().order_by().count(),
        "positions_open": portfolios.positions_table().filter(state="open").count(),
        "settlements": settlements.settlements_table().filter(reversed_at__isnull=True).count(),
        "failed_tasks": selectors.failure_count(),
        "dead_letters": selectors.parked_count(),
    }


def details() -> Figures:
    """Return what the counts are made of."""
    first_forecasts = forecasts.forecasts_table().filter(as_of__lt=F("scheduled_close_at")).order_by().values("market_id")
    return {
        "markets_by_source": dict(markets.markets_table().order_by("source").values_list("source").annotate(Count("id"))),
        "markets_rolled_settled": rolled().filter(id__in=settled_ids()).count(),
        "markets_quoted": listed().filter(id__in=quoted_market_ids()).count(),
        "markets_forecast_before_close": listed().filter(id__in=first_forecasts).count(),
        "shadow_fills": trading.fills_table().filter(order__portfolio__kind="shadow").count(),
        "signals_by_state": signals.counts_by_state(),
        "bars_stored": markets.candles_table().order_by().count(),
        "first_seen_at": markets.markets_table().order_by().aggregate(at=Min("created_at"))["at"],
    }


def quoted_market_ids() -> list[str]:
    """Return the ids of markets all of whose outcomes have at least one stored quote."""
    quoted = markets.quotes_table().order_by().values("outcome_id").distinct()
    outcomes = markets.outcomes_table().order_by().values("market_id")
    having = outcomes.annotate(n=Count("id"), quoted=Count("id", filter=Q(id__in=quoted)))
    return list(having.filter(n=F("quoted")).values_list("market_id", flat=True))


def scores() -> Figures:
    """Return mean scores by source and category, as the report shows them."""
    own = ("n", "n_without_price", "brier", "brier_price", "log_loss", "log_loss_price")
    shown = (*own, "n_model", "log_loss_model", "log_loss_price_beside_model")
    return {group: {name: score.get(name) for name in shown} for group, score in forecasts.score_groups().items()}


@durable
def proofs(*, by: str, now: datetime) -> Figures:
    """Seal and verify the audit log, verify the books, take a backup and restore it; say what each showed."""
    audit_services.seal(now=now, by=by)
    trail, books = audit.verify(), ledger.verify_books()
    backup = backup_services.take(kind="daily", now=now, by=by)
    restored = backup_services.verify(backup_id=backup.id, now=now, by=by) if backup.is_done else None
    return {
        "books_balanced": books.is_balanced,
        "books_differences": list(books.differences),
        "audit_verified": trail.is_good,
        "audit_events": trail.events,
        "audit_first_problem": trail.first_problem,
        "backup_verified": bool(restored and restored.is_good),
        "backup_differences": list(restored.differences) if restored else [backup.error],
    }


def checks(figures: Mapping[str, Any]) -> dict[str, bool]:
    """Judge the figures of a report: each check by name."""
    seen = figures["markets_seen"]
    return {
        "markets_seen": seen > 0,
        "every_market_settled": figures["markets_settled"] == seen,
        "every_market_quoted": figures["markets_quoted"] == seen,
        "every_market_forecast_before_close": figures["markets_forecast_before_close"] == seen,
        "shadow_traded": figures["shadow_fills"] > 0,
        "nothing_pending": figures["pending"]["pending"] == 0,
        "books_balanced": figures["books_balanced"],
        "audit_verified": figures["audit_verified"],
        "backup_verified": figures["backup_verified"],
        "no_failed_task": figures["failed_tasks"] == 0,
        "no_dead_letter": figures["dead_letters"] == 0,
    }


@durable
def full(*, by: str, now: datetime) -> Figures:
    """Return the whole report. `is_good` says whether every check holds."""
    proved = proofs(by=by, now=now)
    figures = {**counts(), **proved, "scores": scores(), **details(), "pending": pending(now=now)}
    judged = checks(figures)
    return {**figures, "checks": judged, "is_good": all(judged.values())}
