"""The limits themselves: defaults for a new tenant, and changes by people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.audit import services as audit
from apps.core.db import transaction
from apps.core.money import decimals_of
from apps.risk.errors import LimitsNotFound, WrongLimit
from apps.risk.models import Limits
from apps.risk.selectors import limits_view
from apps.risk.types import LimitsView
from apps.tenants import selectors as tenants

# In major units of the tenant's currency.
POSITION_SIZE_MAX, DAILY_LOSS_MAX, TRADE_MAX = 1_800, 50_000, 100_000
DEFAULTS: Mapping[str, int | float] = {
    "positions_open_max": 3,
    "shadow_positions_open_max": 500,
    "concentration_max_share": 0.40,
    "drawdown_max_share": 0.25,
    "category_max_share": 0.80,
    "price_age_max_s": 300.0,
    "spread_max": 0.10,
    "close_min_s": 15.0,
}
WHOLE = ("position_size_max_minor", "positions_open_max", "shadow_positions_open_max", "daily_loss_max_minor", "trade_max_minor")
SHARES = ("concentration_max_share", "drawdown_max_share", "category_max_share")
NAMES = (*WHOLE, *SHARES, "price_age_max_s", "spread_max", "close_min_s")


@transaction
def ensure_limits(*, tenant_id: str, by: str, now: datetime) -> LimitsView:
    """Give the tenant the default limits unless it has limits, and return what is in force. Raises TenantNotFound."""
    scale = 10 ** decimals_of(tenants.get_tenant(tenant_id).currency)
    amounts = {
        "position_size_max_minor": POSITION_SIZE_MAX * scale,
        "daily_loss_max_minor": DAILY_LOSS_MAX * scale,
        "trade_max_minor": TRADE_MAX * scale,
    }
    values = {**DEFAULTS, **amounts}
    limits, is_new = Limits.objects.get_or_create(tenant_id=tenant_id, defaults={**values, "updated_at": now, "updated_by": by})
    if is_new:
        audit.record(action="limits.created", subject=limits.id, by=by, now=now, tenant=tenant_id, detail=values)
    return limits_view(limits)


@transaction
def set_limits(*, tenant_id: str, changes: Mapping[str, int | float], by: str, now: datetime) -> LimitsView:
    """Change limits by name and return what is in force. Raises LimitsNotFound, and WrongLimit naming the bad one."""
    for name, value in changes.items():
        _refuse_wrong(name, value)
    limits = Limits.objects.select_for_update().filter(tenant_id=tenant_id).first()
    if limits is None:
        raise LimitsNotFound(tenant_id)
    before = {name: getattr(limits, name) for name in changes}
    moved: dict[str, Any] = {name: value for name, value in changes.items() if before[name] != value}
    if moved:
        Limits.objects.filter(pk=limits.pk).update(**moved, updated_at=now, updated_by=by)
        detail = {name: {"before": before[name], "after": value} for name, value in moved.items()}
        audit.record(action="limits.changed", subject=limits.id, by=by, now=now, tenant=tenant_id, detail=detail)
        limits.refresh_from_db()
    return limits_view(limits)


def _refuse_wrong(name: str, value: float) -> None:
    if name not in NAMES:
        raise WrongLimit(f"there is no limit {name}", field=name)
    if not math.isfinite(value) or value < 0:
        raise WrongLimit(f"{name} must be a number of 0 or more", field=name)
    if name in WHOLE and value != int(value):
        raise WrongLimit(f"{name} must be a whole number", field=name)
    if name in SHARES and value > 1:
        raise WrongLimit(f"{name} is a share between 0 and 1", field=name)
