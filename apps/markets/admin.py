"""The store in the admin: what sources said is read-only; nothing here is typed in by hand."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import TabularInline

from apps.core.read_only import ReadOnly, ReadOnlyAdmin
from apps.markets.models import BookmakerOdds, Candle, Event, Instrument, LatestPrice, Market, Outcome, Quote, Result


class OutcomesInline(ReadOnly, TabularInline):
    """The outcomes of a market."""

    model = Outcome
    fields = ("position", "label", "source_key")
    extra = 0


class ResultsInline(ReadOnly, TabularInline):
    """What has been believed of a market's end."""

    model = Result
    fields = ("revision", "kind", "payouts", "observed_at")
    extra = 0


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Events."""

    list_display = ("title", "category", "source", "starts_at", "closes_at")
    list_filter = ("source", "category")
    search_fields = ("=id", "title", "=source_key")


@admin.register(Market)
class MarketAdmin(ReadOnlyAdmin):
    """Markets with their outcomes and results."""

    list_display = ("question", "state", "category", "source", "pays", "threshold", "closes_at", "accepts_orders")
    list_filter = ("state", "source", "category", "pays")
    search_fields = ("=id", "slug", "question", "=source_key")
    inlines = (OutcomesInline, ResultsInline)


@admin.register(Outcome)
class OutcomeAdmin(ReadOnlyAdmin):
    """Outcomes."""

    list_display = ("label", "market", "position", "source_key")
    list_select_related = ("market",)
    search_fields = ("=id", "=source_key", "=market__id")


@admin.register(LatestPrice)
class LatestPriceAdmin(ReadOnlyAdmin):
    """Newest prices."""

    list_display = ("outcome", "bid", "ask", "bid_units", "ask_units", "vendor_at", "confirmed_at")
    list_select_related = ("outcome",)
    search_fields = ("=outcome__id", "=outcome__market__id")


@admin.register(Quote)
class QuoteAdmin(ReadOnlyAdmin):
    """Stored quotes, newest first; the count of all is not asked for, the table is large."""

    list_display = ("id", "outcome_id", "bid", "ask", "venue", "vendor_at", "received_at")
    search_fields = ("outcome__id__exact",)
    ordering = ("-received_at",)
    show_full_result_count = False
    list_per_page = 50


@admin.register(BookmakerOdds)
class BookmakerOddsAdmin(ReadOnlyAdmin):
    """Bookmakers' odds, newest first; the count of all is not asked for, the table is large."""

    list_display = ("outcome_id", "bookmaker", "odds", "is_suspended", "is_closing", "vendor_at", "received_at")
    search_fields = ("outcome__id__exact", "bookmaker")
    ordering = ("-id",)
    show_full_result_count = False
    list_per_page = 50


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    """Instruments."""

    list_display = ("symbol", "name", "kind", "currency", "source")
    list_filter = ("kind", "source")
    search_fields = ("=id", "symbol", "name")


@admin.register(Candle)
class CandleAdmin(ReadOnlyAdmin):
    """Bars."""

    list_display = ("instrument", "closes_at", "open", "high", "low", "close", "volume", "is_final")
    list_filter = ("instrument", "is_final")
    list_select_related = ("instrument",)
    ordering = ("-closes_at",)


@admin.register(Result)
class ResultAdmin(ReadOnlyAdmin):
    """Results, every revision."""

    list_display = ("market", "revision", "kind", "payouts", "observed_at")
    list_filter = ("kind",)
    list_select_related = ("market",)
    search_fields = ("=id", "=market__id")
