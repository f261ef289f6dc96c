"""Lists of forecasts, scores and signals."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from apps.api.filters import opinion as filters
from apps.api.serializers import opinion as serializers
from apps.api.views.base import Row, TableViewSet
from apps.forecasts import selectors as forecasts
from apps.signals import selectors as signals


class ForecastViewSet(TableViewSet):
    """Every forecast that was published, with the price of its instant."""

    serializer_class = serializers.ForecastSerializer
    filterset_class = filters.ForecastFilter
    ordering_fields = (
        "id",
        "as_of",
        "scheduled_close_at",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the forecasts room."""
        return forecasts.forecasts_table()


class ScoreViewSet(TableViewSet):
    """Judgements of forecasts."""

    serializer_class = serializers.ScoreSerializer
    filterset_class = filters.ScoreFilter
    lookup_field = "forecast_id"
    ordering = ("-forecast_id",)
    ordering_fields = (
        "forecast_id",
        "scored_at",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the forecasts room."""
        return forecasts.scores_table()


class SignalViewSet(TableViewSet):
    """What models would do, and why they may not."""

    serializer_class = serializers.SignalSerializer
    filterset_class = filters.SignalFilter
    ordering_fields = (
        "id",
        "made_at",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the signals room."""
        return signals.signals_table()
