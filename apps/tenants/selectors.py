"""Reading tenants."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from apps.tenants.errors import TenantNotFound
from apps.tenants.models import Tenant
from apps.tenants.types import TenantView


def get_tenant(tenant_id: str) -> TenantView:
    """Return the tenant with this id. Raises TenantNotFound."""
    return _only(Tenant.objects.filter(id=tenant_id, is_active=True), tenant_id)


def tenant_by_slug(slug: str) -> TenantView:
    """Return the tenant called `slug`. Raises TenantNotFound."""
    return _only(Tenant.objects.filter(slug=slug, is_active=True), slug)


def active_tenants() -> tuple[TenantView, ...]:
    """Return every active tenant, by slug."""
    return tuple(_view(tenant) for tenant in Tenant.objects.filter(is_active=True).order_by("slug"))


def queue_weights() -> dict[str, int]:
    """Return the weights in paced queues of all tenants that weigh something other than 1, by their ids."""
    return dict(Tenant.objects.exclude(queue_weight=1).values_list("id", "queue_weight"))


def tenants_table() -> QuerySet[Tenant, Any]:
    """Return the rows that the API lists."""
    return Tenant.objects.values("id", "slug", "name", "currency", "is_active", "created_at")


def _only(tenants: QuerySet[Tenant], asked_for: str) -> TenantView:
    tenant = tenants.first()
    if tenant is None:
        raise TenantNotFound(f"no tenant {asked_for}")
    return _view(tenant)


def _view(tenant: Tenant) -> TenantView:
    return TenantView(id=tenant.id, slug=tenant.slug, name=tenant.name, currency=tenant.currency)
