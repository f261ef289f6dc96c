"""Risk in the admin: limits are changed and locks lifted through services, so every change is audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from unfold.admin import ModelAdmin

from apps.core import clock
from apps.core.errors import Expected
from apps.core.read_only import ReadOnlyAdmin
from apps.risk import services
from apps.risk.models import Decision, Limits, Lock
from apps.risk.services.limiting import NAMES

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.forms import ModelForm
    from django.http import HttpRequest


class NobodyAddsAdmin(ModelAdmin):
    """Rows come from services only."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


@admin.register(Limits)
class LimitsAdmin(NobodyAddsAdmin):
    """Limits can be edited; the edit is a call of `set_limits`."""

    list_display = (
        "tenant",
        "position_size_max_minor",
        "positions_open_max",
        "daily_loss_max_minor",
        "trade_max_minor",
        "updated_at",
    )
    readonly_fields = ("tenant", "updated_at", "updated_by")
    list_select_related = ("tenant",)

    def save_model(self, request: HttpRequest, obj: Limits, form: ModelForm[Limits], change: bool) -> None:
        """Hand what the form changed to the service, which judges and audits it."""
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in NAMES}
        try:
            services.set_limits(tenant_id=obj.tenant_id, changes=changes, by=actor(request), now=clock.now())
        except Expected as error:
            messages.error(request, str(error))


@admin.register(Lock)
class LockAdmin(ReadOnlyAdmin):
    """Locks of all tenants, those in force and those lifted."""

    list_display = ("tenant", "name", "reason", "set_by", "set_at", "expires_at", "lifted_at", "lifted_by")
    list_filter = ("name",)
    list_select_related = ("tenant",)
    date_hierarchy = "set_at"
    actions = ("halt", "rearm")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Let those stop and start trading who may change locks."""
        return request.user.has_perm("risk.change_lock")

    @admin.action(description="Halt trading of these tenants (kill switch)", permissions=["operate"])
    def halt(self, request: HttpRequest, queryset: QuerySet[Lock]) -> None:
        """Turn the kill switch for the tenants of the chosen rows."""
        for tenant_id in tenants_of(queryset):
            services.halt(tenant_id=tenant_id, reason="halted in the admin", by=actor(request), now=clock.now())

    @admin.action(description="Rearm trading of these tenants (lift all locks)", permissions=["operate"])
    def rearm(self, request: HttpRequest, queryset: QuerySet[Lock]) -> None:
        """Lift every lock of the tenants of the chosen rows."""
        for tenant_id in tenants_of(queryset):
            services.rearm(tenant_id=tenant_id, reason="rearmed in the admin", by=actor(request), now=clock.now())


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """What risk said, the newest first."""

    list_display = ("decided_at", "tenant", "portfolio", "is_allowed", "reasons", "market_id", "outcome_id")
    list_filter = ("is_allowed", "portfolio__kind")
    search_fields = ("id", "market_id", "outcome_id")
    list_select_related = ("tenant", "portfolio")
    date_hierarchy = "decided_at"
    show_full_result_count = False


def actor(request: HttpRequest) -> str:
    """Name the person behind a request for the audit log."""
    return f"user:{request.user.get_username()}"


def tenants_of(queryset: QuerySet[Lock]) -> list[str]:
    """Return the tenants of the chosen locks, each once."""
    return sorted(set(queryset.values_list("tenant_id", flat=True)))
