"""Lists of sources, markets and instruments."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from apps.api.filters import store as filters
from apps.api.serializers import store as serializers
from apps.api.views.base import Row, TableViewSet
from apps.markets import selectors as markets
from apps.sources import selectors as sources

BIGINT = "[0-9]{1,18}"


class SourceViewSet(TableViewSet):
    """Vendors, whether they are on, and when they last answered."""

    serializer_class = serializers.SourceSerializer
    filterset_class = filters.SourceFilter
    lookup_field = "slug"
    ordering_fields = ("slug",)
    ordering = ("slug",)

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the sources room."""
        rows: QuerySet[Any, Row] = sources.sources_table().values(*serializers.SOURCE_FIELDS)
        return rows


class MarketViewSet(TableViewSet):
    """Questions whose outcomes pay."""

    serializer_class = serializers.MarketSerializer
    filterset_class = filters.MarketFilter
    ordering_fields = ("id", "closes_at", "created_at", "volume")

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the markets room."""
        return markets.markets_table()


class OutcomeViewSet(TableViewSet):
    """Ways in which markets can end, with their newest prices."""

    serializer_class = serializers.OutcomeSerializer
    filterset_class = filters.OutcomeFilter

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the markets room."""
        return markets.outcomes_table()


class QuoteViewSet(TableViewSet):
    """Every stored change of a book, with depth."""

    serializer_class = serializers.QuoteSerializer
    filterset_class = filters.QuoteFilter
    lookup_value_regex = BIGINT
    ordering_fields = ("id", "received_at")

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the markets room."""
        return markets.quotes_table()


class InstrumentViewSet(TableViewSet):
    """Things with a price."""

    serializer_class = serializers.InstrumentSerializer
    filterset_class = filters.InstrumentFilter
    ordering_fields = ("id", "symbol")

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the markets room."""
        return markets.instruments_table()


class CandleViewSet(TableViewSet):
    """Bars of instruments."""

    serializer_class = serializers.CandleSerializer
    filterset_class = filters.CandleFilter
    lookup_value_regex = BIGINT
    ordering_fields = ("id", "closes_at")

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the markets room."""
        return markets.candles_table()
