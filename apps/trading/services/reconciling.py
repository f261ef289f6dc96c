"""Finding out what became of orders whose sending was cut short. They are asked after, and never sent again."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import structlog

from apps.audit import services as audit
from apps.core.claims import StaleLease
from apps.core.db import durable, transaction
from apps.core.errors import OutcomeUnknown, Transient
from apps.risk import services as risk
from apps.trading.errors import OrderLost
from apps.trading.models import Order
from apps.trading.services.filling import apply_report
from apps.trading.services.leasing import PAUSE, Claim, claim_next, locked, release
from apps.trading.states import moved
from apps.trading.types import ReconcileCounts
from apps.trading.venues import VENUES
from apps.trading.venues.base import VenueReport

log = structlog.get_logger(__name__)

ORDERS_MAX = 100
# After so many failed questions a person is called and the tenant's trading stops; the asking goes on, slowly.
ATTEMPTS_MAX = 3
SLOW_PAUSE = timedelta(minutes=1)


@durable
def reconcile(*, now: datetime, by: str) -> ReconcileCounts:
    """Turn orders whose sender died into unknown ones, and ask the venue after every unknown one that is due.

    What the venue knows goes on from there; what it has never heard of is withdrawn there, cancelled here, its held
    money given back and its shadow signal put back.
    """
    counts: Counter[str] = Counter(lost=_mark_lost(now=now, by=by))
    for _ in range(ORDERS_MAX):
        claim = claim_next(states=("unknown",), owner=by, now=now)
        if claim is None:
            break
        counts[_resolve(claim, now=now, by=by)] += 1
    return ReconcileCounts(**counts)


@transaction
def _mark_lost(*, now: datetime, by: str) -> int:
    """Fence off the workers whose lease ran out while sending."""
    expired = Order.objects.select_for_update(skip_locked=True, no_key=True).filter(state="sending", lease_until__lte=now)
    orders = list(expired.order_by("id")[:ORDERS_MAX])
    for order in orders:
        order.state = moved(order.state, "unknown")
        order.fencing_token += 1
        detail = {"owner": order.lease_owner}
        release(order=order, next_try_at=now)
        audit.record(action="order.unknown", subject=order.id, by=by, now=now, tenant=order.tenant_id, detail=detail)
    return len(orders)


def _resolve(claim: Claim, *, now: datetime, by: str) -> str:
    try:
        report = _what_venue_knows(claim.id, now=now)
        if report is None:
            _still_unknown(claim, now=now, by=by)
            return "unknown"
        state = apply_report(claim=claim, report=report, now=now, by=by)
    except StaleLease as error:
        log.warning("order_lease_stale", order=claim.id, error=str(error))
        return "stale"
    return "cancelled" if state == "cancelled" else "found"


def _what_venue_knows(order_id: str, *, now: datetime) -> VenueReport | None:
    """Ask the venue; an order that it has never heard of is withdrawn, so that it cannot arrive late. None: no answer."""
    venue = VENUES[Order.objects.values_list("venue", flat=True).get(id=order_id)]
    try:
        return venue.status(order_id, now=now) or venue.withdraw(order_id, now=now)
    except (Transient, OutcomeUnknown) as error:
        log.warning("venue_away", order=order_id, error=str(error))
        return None


@transaction
def _still_unknown(claim: Claim, *, now: datetime, by: str) -> None:
    order = locked(claim=claim)
    order.attempts += 1
    is_lost = order.attempts > ATTEMPTS_MAX
    release(order=order, next_try_at=now + (SLOW_PAUSE if is_lost else PAUSE))
    if is_lost:
        reason = f"the venue does not say what became of {order.id}"
        log.error("order_lost", order=order.id, code=OrderLost.code, attempts=order.attempts)
        risk.stop_as_broken(tenant_id=order.tenant_id, reason=reason, by=by, now=now)
