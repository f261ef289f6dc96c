"""Orders, fills and the paper venue's memory in the admin: to be read, never written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from unfold.admin import TabularInline

from apps.core.read_only import ReadOnly, ReadOnlyAdmin
from apps.trading.models import Fill, Order, PaperOrder

if TYPE_CHECKING:
    pass


class FillsInline(ReadOnly, TabularInline):
    """What the order got."""

    model = Fill
    fields = ("filled_at", "units", "price", "notional_minor", "fee_minor", "is_depth_limited", "venue_fill_id")
    extra = 0


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders, the newest first."""

    list_display = ("created_at", "portfolio", "market", "outcome", "side", "stake_minor", "units", "state", "reason", "attempts")
    list_filter = ("state", "side", "portfolio__kind", "venue")
    search_fields = ("id", "market__question", "signal_id", "decision_id", "idempotency_key")
    list_select_related = ("portfolio", "market", "outcome")
    date_hierarchy = "created_at"
    show_full_result_count = False
    inlines = (FillsInline,)


@admin.register(Fill)
class FillAdmin(ReadOnlyAdmin):
    """Fills with their evidence, the newest first."""

    list_display = ("filled_at", "order", "units", "price", "notional_minor", "fee_minor", "is_depth_limited")
    list_filter = ("is_depth_limited", "order__portfolio__kind")
    search_fields = ("id", "order__id", "venue_fill_id")
    list_select_related = ("order",)
    date_hierarchy = "filled_at"
    show_full_result_count = False


@admin.register(PaperOrder)
class PaperOrderAdmin(ReadOnlyAdmin):
    """What the paper venue remembers."""

    list_display = ("client_order_id", "state", "received_at", "due_at", "outcome_id")
    list_filter = ("state",)
    search_fields = ("client_order_id", "outcome_id")
    date_hierarchy = "received_at"
    show_full_result_count = False
