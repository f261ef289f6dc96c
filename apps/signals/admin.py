"""The staff's view of signals: to read, never to write."""

from __future__ import annotations

from django.contrib import admin

from apps.core.read_only import ReadOnlyAdmin
from apps.signals.models import Signal


@admin.register(Signal)
class SignalAdmin(ReadOnlyAdmin):
    """Signals, the newest first."""

    list_display = ("made_at", "market", "outcome", "portfolio_kind", "state", "p_model", "p_price", "ask", "edge_net", "reason")
    list_filter = ("portfolio_kind", "state", "model")
    list_select_related = ("market", "outcome")
    search_fields = ("id", "market__question", "market__id", "order_id")
