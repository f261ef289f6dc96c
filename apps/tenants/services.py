"""Writing tenants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError

from apps.audit import services as audit
from apps.core.db import transaction
from apps.core.errors import Invalid
from apps.core.money import DECIMALS
from apps.tenants import selectors
from apps.tenants.errors import TenantNotFound
from apps.tenants.models import Tenant
from apps.tenants.types import TenantView

EDITABLE = ("name", "is_active", "queue_weight")
FIELDS = {field.name: field for field in Tenant._meta.fields}


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


@transaction
def edit_tenant(*, tenant_id: str, changes: Mapping[str, Any], by: str, now: datetime) -> None:
    """Set `name`, `is_active` or `queue_weight` of a tenant. Raises TenantNotFound, and Invalid naming the wrong field."""
    tenant = Tenant.objects.select_for_update().filter(id=tenant_id).first()
    if tenant is None:
        raise TenantNotFound(f"no tenant {tenant_id}")
    wished = {field: _cleaned(tenant, field, value) for field, value in changes.items()}
    moved = {field: value for field, value in wished.items() if getattr(tenant, field) != value}
    if not moved:
        return
    detail = {field: {"before": getattr(tenant, field), "after": value} for field, value in moved.items()}
    for field, value in moved.items():
        setattr(tenant, field, value)
    tenant.save(update_fields=list(moved))
    audit.record(action="tenant.changed", subject=tenant.id, by=by, now=now, tenant=tenant.slug, detail=detail)


def _cleaned(tenant: Tenant, field: str, value: Any) -> Any:
    if field not in EDITABLE:
        raise Invalid(f"{field} is not edited here", field=field)
    try:
        return FIELDS[field].clean(value, tenant)
    except ValidationError as error:
        raise Invalid(f"{field}: {' '.join(error.messages)}", field=field) from error
