"""Named stops: the kill switch that people turn, and the locks that protections set."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from apps.audit import services as audit
from apps.core.db import lock_for_transaction, transaction, transaction_required
from apps.risk.models import Lock
from apps.risk.selectors import lock_view
from apps.risk.types import LockView

KILL_SWITCH = "kill_switch"
BROKEN = "broken"
REASON_LENGTH_MAX = 300


@transaction
def halt(*, tenant_id: str, reason: str, by: str, now: datetime) -> LockView:
    """Turn the kill switch: from here on every intent of the tenant is denied until `rearm`."""
    return trip(tenant_id=tenant_id, name=KILL_SWITCH, reason=reason, expires_at=None, by=by, now=now)


@transaction
def stop_as_broken(*, tenant_id: str, reason: str, by: str, now: datetime) -> LockView:
    """Stop the tenant's trading because an invariant failed, until a person has looked and calls `rearm`."""
    return trip(tenant_id=tenant_id, name=BROKEN, reason=reason, expires_at=None, by=by, now=now)


@transaction
def rearm(*, tenant_id: str, reason: str, by: str, now: datetime) -> tuple[str, ...]:
    """Lift every lock in force and return their names; what still is over its limit trips again at once."""
    _serialise(tenant_id)
    in_force = Lock.objects.filter(tenant_id=tenant_id, lifted_at__isnull=True)
    names = tuple(in_force.order_by("name").values_list("name", flat=True))
    in_force.update(lifted_at=now, lifted_by=by)
    if names:
        detail = {"names": list(names), "reason": reason}
        audit.record(action="risk.rearmed", subject=tenant_id, by=by, now=now, tenant=tenant_id, detail=detail)
    return names


@transaction_required
def trip(*, tenant_id: str, name: str, reason: str, expires_at: datetime | None, by: str, now: datetime) -> LockView:
    """Set the lock `name` unless it is in force, and return the one in force."""
    _serialise(tenant_id)
    same = Lock.objects.filter(tenant_id=tenant_id, name=name, lifted_at__isnull=True)
    same.filter(expires_at__lte=now).update(lifted_at=F("expires_at"), lifted_by="expiry")
    known = same.first()
    if known is not None:
        return lock_view(known)
    lock = Lock.objects.create(
        tenant_id=tenant_id, name=name, reason=reason[:REASON_LENGTH_MAX], set_by=by, set_at=now, expires_at=expires_at
    )
    detail = {"name": name, "reason": reason, "expires_at": expires_at.isoformat() if expires_at else None}
    audit.record(action="risk.locked", subject=tenant_id, by=by, now=now, tenant=tenant_id, detail=detail)
    return lock_view(lock)


def _serialise(tenant_id: str) -> None:
    """Let one change of a tenant's locks happen at a time."""
    lock_for_transaction(f"risk_locks:{tenant_id}")
