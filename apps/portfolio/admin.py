"""Portfolios in the admin: to be read, never written."""

from __future__ import annotations

from django.contrib import admin

from apps.core.read_only import ReadOnlyAdmin
from apps.portfolio.models import EquityPoint, Portfolio, Position


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
    search_fields = ("id", "market__question", "=outcome__id")
    list_select_related = ("portfolio", "market", "outcome")
    date_hierarchy = "opened_at"


@admin.register(EquityPoint)
class EquityPointAdmin(ReadOnlyAdmin):
    """The course of equity, the newest first."""

    list_display = ("id", "portfolio", "at", "change_minor", "equity_minor", "peak_minor", "cause")
    list_filter = ("cause", "portfolio__kind")
    list_select_related = ("portfolio",)
    show_full_result_count = False
