"""The staff's view of forecasts and scores: to read, never to write."""

from __future__ import annotations

from django.contrib import admin

from apps.core.read_only import ReadOnlyAdmin
from apps.forecasts.models import Forecast, Judgement, PoolWeights, Score


@admin.register(Forecast)
class ForecastAdmin(ReadOnlyAdmin):
    """Forecasts, the newest first."""

    list_display = ("as_of", "market", "model", "p_price", "p_model", "p_final", "value", "is_price_stale", "horizon")
    list_filter = ("source", "category", "horizon", "model", "is_price_stale")
    list_select_related = ("market",)
    search_fields = ("id", "market__question", "market__id")


@admin.register(PoolWeights)
class PoolWeightsAdmin(ReadOnlyAdmin):
    """Published weights by group."""

    list_display = ("source", "category", "horizon", "w", "b", "trained_on", "made_at")
    list_filter = ("source", "category", "horizon")


@admin.register(Score)
class ScoreAdmin(ReadOnlyAdmin):
    """Scores of forecasts."""

    list_display = ("scored_at", "market", "horizon", "payout", "brier", "brier_price", "log_loss", "log_loss_price", "error")
    list_filter = ("source", "category", "horizon")
    list_select_related = ("market",)
    search_fields = ("market__question", "market__id", "forecast__id")


@admin.register(Judgement)
class JudgementAdmin(ReadOnlyAdmin):
    """Results that have been judged."""

    list_display = ("judged_at", "market", "kind", "payout", "forecasts", "observed_at")
    list_filter = ("source", "category", "kind")
    list_select_related = ("market",)
    search_fields = ("market__question", "result_id")
