"""Settlements in the admin: to be read; undoing one is an action that goes through services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from unfold.admin import TabularInline

from apps.core import clock
from apps.core.errors import Expected
from apps.core.read_only import ReadOnly, ReadOnlyAdmin
from apps.settlement import services
from apps.settlement.models import Settlement, SettlementLine

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class LinesInline(ReadOnly, TabularInline):
    """What each position was paid."""

    model = SettlementLine
    fields = ("position", "outcome", "units", "payout", "cost_minor", "fees_minor", "paid_minor", "realised_minor", "entry_id")
    extra = 0


@admin.register(Settlement)
class SettlementAdmin(ReadOnlyAdmin):
    """Settlements, the newest first."""

    list_display = ("settled_at", "tenant", "market", "kind", "revision", "paid_minor", "realised_minor", "reversed_at")
    list_filter = ("kind", ("reversed_at", admin.EmptyFieldListFilter))
    search_fields = ("id", "market__question", "result_id")
    list_select_related = ("tenant", "market")
    date_hierarchy = "settled_at"
    inlines = (LinesInline,)
    actions = ("reverse",)

    def has_reverse_permission(self, request: HttpRequest) -> bool:
        """Let those reverse who may change settlements."""
        return request.user.has_perm("settlement.change_settlement")

    @admin.action(description="Reverse (mirror entries, positions reopened)", permissions=["reverse"])
    def reverse(self, request: HttpRequest, queryset: QuerySet[Settlement]) -> None:
        """Undo the chosen settlements, each in its own transaction."""
        for settlement_id in queryset.values_list("id", flat=True):
            try:
                services.reverse_settlement(
                    settlement_id=settlement_id,
                    reason="reversed in the admin",
                    by=f"user:{request.user.get_username()}",
                    now=clock.now(),
                )
            except Expected as error:
                messages.error(request, f"{settlement_id}: {error}")
