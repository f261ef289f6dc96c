"""Working the orders that are due: send the accepted ones, ask after the sent ones.

Per order: claim (committed) -> talk to the venue outside any transaction -> write down what it said under the claim's
token. A worker that dies in between leaves a `sending` order for `reconcile`, or a `sent` one whose lease runs out.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import structlog

from apps.audit import services as audit
from apps.core.claims import StaleLease
from apps.core.db import durable, transaction
from apps.core.errors import OutcomeUnknown, Transient
from apps.core.money import to_major
from apps.portfolio import selectors as portfolios
from apps.trading.models import Order
from apps.trading.services.filling import apply_report
from apps.trading.services.leasing import PAUSE, Claim, claim_next, locked, postpone, release
from apps.trading.states import moved
from apps.trading.types import WorkCounts
from apps.trading.venues import VENUES
from apps.trading.venues.base import Acknowledgement, OrderRequest, Venue

log = structlog.get_logger(__name__)

ORDERS_MAX = 100  # in one round; the next bell continues


@durable
def work_due(*, now: datetime, by: str, owner: str) -> WorkCounts:
    """Work every order that is due, one after the other, and count what became of them.

    `owner` names this worker in the leases. Any number of workers may run this at once.
    """
    counts: Counter[str] = Counter()
    for _ in range(ORDERS_MAX):
        claim = claim_next(states=("accepted", "sent"), owner=owner, now=now)
        if claim is None:
            break
        counts[_work(claim, now=now, by=by)] += 1
    return WorkCounts(**counts)


def _work(claim: Claim, *, now: datetime, by: str) -> str:
    try:
        return _send(claim, now=now, by=by) if claim.state == "sending" else _ask(claim, now=now, by=by)
    except StaleLease as error:
        log.warning("order_lease_stale", order=claim.id, error=str(error))
        return "stale"


def _send(claim: Claim, *, now: datetime, by: str) -> str:
    order = Order.objects.select_related("portfolio").get(id=claim.id)
    try:
        acknowledgement = _venue_of(order).submit(order.id, _request_of(order), now=now)
    except (Transient, OutcomeUnknown) as error:
        # It may have arrived: from here on it is only asked after.
        log.warning("order_unknown", order=order.id, error=str(error))
        _become_unknown(claim, now=now, by=by)
        return "unknown"
    _acknowledge(claim, acknowledgement, now=now)
    return "sent"


def _ask(claim: Claim, *, now: datetime, by: str) -> str:
    order = Order.objects.get(id=claim.id)
    try:
        report = _venue_of(order).status(order.id, now=now)
    except (Transient, OutcomeUnknown) as error:
        log.warning("venue_away", order=order.id, error=str(error))
        postpone(claim=claim, until=now + PAUSE)
        return "postponed"
    if report is None:
        # The venue acknowledged it and now denies it: nothing to do but to keep asking, loudly.
        log.error("order_forgotten_by_venue", order=order.id)
        postpone(claim=claim, until=now + PAUSE)
        return "postponed"
    state = apply_report(claim=claim, report=report, now=now, by=by)
    return "waiting" if state == "sent" else state


@transaction
def _acknowledge(claim: Claim, acknowledgement: Acknowledgement, *, now: datetime) -> None:
    order = locked(claim=claim)
    order.state = moved(order.state, "sent")
    order.sent_at = now
    release(order=order, next_try_at=acknowledgement.due_at)


@transaction
def _become_unknown(claim: Claim, *, now: datetime, by: str) -> None:
    order = locked(claim=claim)
    order.state = moved(order.state, "unknown")
    release(order=order, next_try_at=now + PAUSE)
    audit.record(action="order.unknown", subject=order.id, by=by, now=now, tenant=order.tenant_id, detail={})


def _venue_of(order: Order) -> Venue:
    return VENUES[order.venue]


def _request_of(order: Order) -> OrderRequest:
    currency = portfolios.portfolio_by_id(order.portfolio_id).currency
    return OrderRequest(
        market_id=order.market_id,
        outcome_id=order.outcome_id,
        side="buy" if order.side == "buy" else "sell",
        spend=None if order.stake_minor is None else to_major(order.stake_minor, currency),
        units=order.units,
        limit=order.limit_price,
    )
