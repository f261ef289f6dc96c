"""Tenants for staff: what may be changed goes through the service; books, limits and portfolios hang on the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from unfold.admin import ModelAdmin

from apps.core import clock
from apps.core.errors import Expected
from apps.tenants import services
from apps.tenants.models import Tenant

if TYPE_CHECKING:
    from django.forms import ModelForm
    from django.http import HttpRequest


@admin.register(Tenant)
class TenantAdmin(ModelAdmin):
    """Owners of portfolios and books; made by `prepare_desk` and never deleted."""

    list_display = ("slug", "name", "currency", "is_active", "queue_weight", "created_at")
    list_filter = ("is_active", "currency")
    search_fields = ("slug", "name")
    readonly_fields = ("id", "slug", "currency", "created_at")
    fields = ("id", "slug", *services.EDITABLE, "currency", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A tenant needs portfolios, accounts and limits, which the admin does not make."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Its books stay."""
        return False

    def save_model(self, request: HttpRequest, obj: Tenant, form: ModelForm[Tenant], change: bool) -> None:
        """Hand what the form changed to the service, which judges and audits it."""
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        try:
            services.edit_tenant(tenant_id=obj.id, changes=changes, by=f"user:{request.user.get_username()}", now=clock.now())
        except Expected as refusal:
            messages.error(request, str(refusal))
