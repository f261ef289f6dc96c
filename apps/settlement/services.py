"""Turning results into money, exactly once per market, tenant and revision; and undoing it when a result was wrong.

Everything of one market and tenant happens in one transaction under one lock: the settlement, its lines, their ledger
entries, the closed positions and the audit event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import structlog

from apps.audit import services as audit
from apps.core.db import durable, lock_for_transaction, transaction
from apps.core.errors import Broken, DeskError
from apps.ledger import selectors as ledger_book
from apps.ledger import services as ledger
from apps.ledger.types import PostingLine
from apps.markets import selectors as markets
from apps.markets.types import ResultView
from apps.portfolio import selectors as portfolios
from apps.portfolio import services as portfolio
from apps.settlement import rules, selectors
from apps.settlement.errors import AlreadyReversed, NoResult, OrdersOnTheirWay, SettlementNotFound
from apps.settlement.models import Settlement, SettlementLine
from apps.settlement.types import PlannedLine, SettlementView
from apps.tenants import selectors as tenants
from apps.trading import selectors as trading

log = structlog.get_logger(__name__)

MARKETS_MAX = 500  # per tenant in one call; the next bell continues


@durable
def settle_due(*, now: datetime, by: str) -> int:
    """Settle every market whose newest result is not settled yet, for every active tenant; return how many were.

    A market with unfinished orders waits. One market's failure does not hold up the others; an invariant that failed
    (Broken) is raised at the end.
    """
    settled = 0
    broken: list[Broken] = []
    for tenant in tenants.active_tenants():
        due = selectors.markets_to_settle(tenant_id=tenant.id, limit=MARKETS_MAX)
        touched = selectors.touched(due, tenant_id=tenant.id)
        settled += _settle_untouched(sorted(set(due) - set(touched)), tenant.id, now=now, by=by)
        for market_id in touched:
            try:
                settled += _settle(market_id, tenant.id, is_asked_for=False, now=now, by=by) is not None
            except OrdersOnTheirWay as waiting:
                log.info("settlement_waits", market=market_id, tenant=tenant.id, reason=str(waiting))
            except DeskError as error:
                log.exception("settlement_failed", market=market_id, tenant=tenant.id)
                broken.extend([error] if isinstance(error, Broken) else [])
    if broken:
        raise broken[0]
    return settled


@durable
def settle_market(*, market_id: str, now: datetime, by: str) -> tuple[SettlementView, ...]:
    """Settle one market for every active tenant, also again after a reversal; return the settlements made.

    Raises MarketNotFound, NoResult, OrdersOnTheirWay, PayoutMissing.
    """
    markets.get_market(market_id)
    made = (_settle(market_id, tenant.id, is_asked_for=True, now=now, by=by) for tenant in tenants.active_tenants())
    return tuple(settlement for settlement in made if settlement is not None)


@transaction
def reverse_settlement(*, settlement_id: str, reason: str, now: datetime, by: str) -> SettlementView:
    """Undo a settlement: mirror its entries, reopen its positions. Raises SettlementNotFound and AlreadyReversed.

    The market is not settled again by itself until its result is restated; `settle_market` does it on demand.
    """
    found = Settlement.objects.filter(id=settlement_id).first()
    if found is None:
        raise SettlementNotFound(settlement_id)
    _lock(found.market_id, found.tenant_id)
    return selectors.settlement_view(_reverse(settlement_id, reason=reason, now=now, by=by))


@transaction
def _settle(market_id: str, tenant_id: str, *, is_asked_for: bool, now: datetime, by: str) -> SettlementView | None:
    """Settle under the lock; None when the newest result was settled meanwhile."""
    _lock(market_id, tenant_id)
    result = markets.latest_result(market_id)
    if result is None:
        raise NoResult(market_id)
    of_tenant = Settlement.objects.filter(market_id=market_id, tenant_id=tenant_id)
    present = of_tenant.filter(reversed_at__isnull=True).first()
    is_settled = present is not None and present.result_id == result.id
    if is_settled or (not is_asked_for and of_tenant.filter(result_id=result.id).exists()):
        return None
    if trading.unfinished_orders(market_id=market_id, tenant_id=tenant_id):
        raise OrdersOnTheirWay(market_id)
    if present is not None:
        _reverse(present.id, reason=f"restated as revision {result.revision}", now=now, by=by)
    return selectors.settlement_view(_write(result, tenant_id, now=now, by=by))


@transaction
def _settle_untouched(market_ids: Sequence[str], tenant_id: str, *, now: datetime, by: str) -> int:
    """Record at once that the markets in which the tenant has nothing are settled, with one audit event for all."""
    if not market_ids:
        return 0
    for market_id in market_ids:
        _lock(market_id, tenant_id)
    # What somebody did to them before we had the locks is seen now.
    touched = selectors.touched(market_ids, tenant_id=tenant_id)
    results = markets.latest_results(market_ids=sorted(set(market_ids) - set(touched))).values()
    made = Settlement.objects.bulk_create(_row(result, tenant_id, now=now, by=by) for result in results)
    if made:
        listed = "\n".join(f"{row.market_id} {row.result_id} {row.revision} {row.kind}" for row in made)
        detail = {"count": len(made), "digest": hashlib.sha256(listed.encode()).hexdigest()}
        audit.record(action="settlement.untouched", subject=made[0].id, by=by, now=now, tenant=tenant_id, detail=detail)
    return len(made)


def _row(result: ResultView, tenant_id: str, *, now: datetime, by: str) -> Settlement:
    """Return a settlement that paid nothing yet, not stored."""
    return Settlement(
        tenant_id=tenant_id,
        market_id=result.market_id,
        result_id=result.id,
        revision=result.revision,
        kind=result.kind,
        settled_at=now,
        by=by,
    )


def _lock(market_id: str, tenant_id: str) -> None:
    lock_for_transaction(f"settle:{market_id}:{tenant_id}")


def _write(result: ResultView, tenant_id: str, *, now: datetime, by: str) -> Settlement:
    planned = selectors.plan(market_id=result.market_id, tenant_id=tenant_id)
    settlement = _row(result, tenant_id, now=now, by=by)
    settlement.paid_minor = sum(line.paid_minor for line in planned)
    settlement.realised_minor = sum(line.realised_minor for line in planned)
    settlement.save(force_insert=True)
    for line in planned:
        _pay(settlement, line, now=now, by=by)
    _record("settlement.settled", settlement, {"positions": len(planned)}, now=now, by=by)
    return settlement


def _pay(settlement: Settlement, line: PlannedLine, *, now: datetime, by: str) -> None:
    # The position first: it locks the portfolio, which comes before its ledger accounts everywhere.
    portfolio.settle_position(
        position_id=line.position_id, paid_minor=line.paid_minor, realised_minor=line.realised_minor, by=by, now=now
    )
    SettlementLine.objects.create(
        settlement=settlement,
        position_id=line.position_id,
        outcome_id=line.outcome_id,
        units=line.units,
        payout=line.payout,
        cost_minor=line.cost_minor,
        fees_minor=line.fees_minor,
        paid_minor=line.paid_minor,
        realised_minor=line.realised_minor,
        entry_id=_book(settlement, line, now=now, by=by),
    )


def _book(settlement: Settlement, line: PlannedLine, *, now: datetime, by: str) -> str:
    """Post the line's entry and return its identity; nothing is posted when no money moves."""
    kind = portfolios.portfolio_by_id(line.portfolio_id).kind
    amounts = rules.booking(
        kind="void" if settlement.kind == "void" else "final",
        cost_minor=line.cost_minor,
        paid_minor=line.paid_minor,
    )
    lines = tuple(
        PostingLine(ledger_book.get_account(tenant_id=line.tenant_id, code=f"{kind}:{part}").id, amount_minor)
        for part, amount_minor in amounts.items()
        if amount_minor
    )
    if not lines:
        return ""
    reference = f"settlement:{settlement.id}:{line.position_id}"
    entry = ledger.post(tenant_id=line.tenant_id, reference=reference, kind="settlement", lines=lines, by=by, now=now)
    return entry.id


def _reverse(settlement_id: str, *, reason: str, now: datetime, by: str) -> Settlement:
    """Undo a settlement; the caller holds the lock of its market and tenant."""
    settlement = Settlement.objects.get(id=settlement_id)
    if settlement.reversed_at is not None:
        raise AlreadyReversed(settlement_id)
    for line in settlement.lines.order_by("position__portfolio_id", "id"):
        _take_back(line, now=now, by=by)
    settlement.reversed_at = now
    settlement.reversed_reason = reason
    settlement.save(update_fields=["reversed_at", "reversed_reason"])
    _record("settlement.reversed", settlement, {"reason": reason}, now=now, by=by)
    return settlement


def _take_back(line: SettlementLine, *, now: datetime, by: str) -> None:
    portfolio.reopen_position(
        position_id=line.position_id,
        units=line.units,
        cost_minor=line.cost_minor,
        fees_minor=line.fees_minor,
        paid_minor=line.paid_minor,
        realised_minor=line.realised_minor,
        by=by,
        now=now,
    )
    if line.entry_id:
        reference = f"reversal:{line.settlement_id}:{line.position_id}"
        ledger.reverse(entry_id=line.entry_id, reference=reference, by=by, now=now)


def _record(action: str, settlement: Settlement, detail: dict[str, object], *, now: datetime, by: str) -> None:
    figures = {
        "market": settlement.market_id,
        "result": settlement.result_id,
        "revision": settlement.revision,
        "kind": settlement.kind,
        "paid_minor": settlement.paid_minor,
        "realised_minor": settlement.realised_minor,
        **detail,
    }
    audit.record(action=action, subject=settlement.id, by=by, now=now, tenant=settlement.tenant_id, detail=figures)
