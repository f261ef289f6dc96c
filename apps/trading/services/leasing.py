"""Who may work on an order: claims with a lease, and the token that fences off a worker who lost it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from apps.core import claims
from apps.core.claims import StaleLease
from apps.core.db import transaction, transaction_required
from apps.trading.models import Order
from apps.trading.states import is_finished, moved
from apps.trading.types import OrderState

# A call to the venue takes milliseconds and is bounded by its client's deadline; a worker silent for so long is dead.
LEASE = timedelta(seconds=10)
# An order that the venue could not be asked about is asked about again after this.
PAUSE = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(claims.Claim):
    """The right to work on one order, and the order's state when it was claimed."""

    state: str


@transaction
def claim_next(*, states: Sequence[OrderState], owner: str, now: datetime) -> Claim | None:
    """Take the order of these states that is due the longest and that nobody works on; None when there is none.

    An accepted order becomes `sending` with the claim, and that is committed before anybody calls the venue.
    """
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=now)
    due = Order.objects.select_for_update(skip_locked=True, no_key=True).filter(free, state__in=states, next_try_at__lte=now)
    order = due.order_by("next_try_at", "id").first()
    if order is None:
        return None
    if order.state == "accepted":
        order.state = moved(order.state, "sending")
        order.attempts += 1
    order.lease_owner = owner
    order.lease_until = now + LEASE
    order.fencing_token += 1
    order.save(update_fields=["state", "attempts", "lease_owner", "lease_until", "fencing_token"])
    return Claim(id=order.id, token=order.fencing_token, state=order.state)


@transaction_required
def locked(*, claim: Claim) -> Order:
    """Lock and return the claimed order. Raises StaleLease when another claim came after this one."""
    order = Order.objects.select_for_update(no_key=True).get(id=claim.id)
    if order.fencing_token != claim.token or is_finished(order.state):
        raise StaleLease(f"{order.id}: token {claim.token}, now {order.fencing_token}")
    return order


@transaction
def postpone(*, claim: Claim, until: datetime) -> None:
    """Let go of the order and look at it again at `until`. Raises StaleLease."""
    release(order=locked(claim=claim), next_try_at=until)


@transaction_required
def release(*, order: Order, next_try_at: datetime | None) -> None:
    """End the lease, store the order's other changes, and set when it is looked at next."""
    order.lease_owner = ""
    order.lease_until = None
    order.next_try_at = next_try_at
    order.save()
