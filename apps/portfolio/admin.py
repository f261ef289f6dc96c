"""Portfolios in the admin: to be read, never written."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from apps.portfolio.models import EquityPoint, Portfolio, Position


class ReadOnlyAdmin(ModelAdmin):
    """Shows rows and lets nobody change them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


@admin.register(Portfolio)
class PortfolioAdmin(ReadOnlyAdmin):
    """Portfolios of all tenants."""

    list_display = ("id", "tenant", "kind", "currency", "created_at")
    list_filter = ("kind", "currency")
    search_fields = ("id", "tenant__slug")
    list_select_related = ("tenant",)


@admin.register(Position)
class PositionAdmin(ReadOnlyAdmin):
    """Positions, the newest first."""

    list_display = (
        "id",
        "portfolio",
        "market",
        "outcome",
        "state",
        "units",
        "cost_minor",
        "fees_minor",
        "realised_minor",
        "opened_at",
    )
    list_filter = ("state", "portfolio__kind")
    search_fields = ("id", "market__question", "outcome_id")
    list_select_related = ("portfolio", "market", "outcome")
    date_hierarchy = "opened_at"


@admin.register(EquityPoint)
class EquityPointAdmin(ReadOnlyAdmin):
    """The course of equity, the newest first."""

    list_display = ("id", "portfolio", "at", "change_minor", "equity_minor", "peak_minor", "cause")
    list_filter = ("cause", "portfolio__kind")
    list_select_related = ("portfolio",)
    show_full_result_count = False
