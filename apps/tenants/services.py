"""Writing tenants."""

from __future__ import annotations

from datetime import datetime

from apps.audit import services as audit
from apps.core.db import transaction
from apps.core.errors import Invalid
from apps.core.money import DECIMALS
from apps.tenants import selectors
from apps.tenants.models import Tenant
from apps.tenants.types import TenantView


@transaction
def ensure_tenant(*, slug: str, name: str, currency: str, by: str, now: datetime) -> TenantView:
    """Make the tenant called `slug` unless it is there, and return it. Raises Invalid for an unknown currency."""
    if currency not in DECIMALS:
        raise Invalid(f"the desk keeps no books in {currency}", field="currency")
    tenant, is_new = Tenant.objects.get_or_create(slug=slug, defaults={"name": name, "currency": currency, "created_at": now})
    if is_new:
        audit.record(
            action="tenant.created", subject=tenant.id, by=by, now=now, tenant=slug, detail={"name": name, "currency": currency}
        )
    return selectors.get_tenant(tenant.id)
