"""Tenants for staff: names may be changed; books, limits and portfolios hang on the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from unfold.admin import ModelAdmin

from apps.tenants.models import Tenant

if TYPE_CHECKING:
    from django.http import HttpRequest


@admin.register(Tenant)
class TenantAdmin(ModelAdmin):
    """Owners of portfolios and books; made by `prepare_desk` and never deleted."""

    list_display = ("slug", "name", "currency", "is_active", "created_at")
    list_filter = ("is_active", "currency")
    search_fields = ("slug", "name")
    readonly_fields = ("id", "slug", "currency", "created_at")
    fields = ("id", "slug", "name", "currency", "is_active", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A tenant needs portfolios, accounts and limits, which the admin does not make."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Its books stay."""
        return False
