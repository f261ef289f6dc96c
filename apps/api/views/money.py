"""Lists of portfolios, orders, books and settlements."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from apps.api.filters import money as filters
from apps.api.serializers import money as serializers
from apps.api.views.base import Row, TableViewSet
from apps.ledger import selectors as ledger
from apps.portfolio import selectors as portfolios
from apps.risk import selectors as risk
from apps.settlement import selectors as settlements
from apps.trading import selectors as trading


class PortfolioViewSet(TableViewSet):
    """Portfolios of paper money."""

    serializer_class = serializers.PortfolioSerializer
    filterset_class = filters.PortfolioFilter
    ordering_fields = ("id",)

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the portfolio room."""
        return portfolios.portfolios_table()


class PositionViewSet(TableViewSet):
    """What portfolios hold or held."""

    serializer_class = serializers.PositionSerializer
    filterset_class = filters.PositionFilter
    ordering_fields = (
        "id",
        "opened_at",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the portfolio room."""
        return portfolios.positions_table()


class OrderViewSet(TableViewSet):
    """Orders and their state."""

    serializer_class = serializers.OrderSerializer
    filterset_class = filters.OrderFilter
    ordering_fields = (
        "id",
        "created_at",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the trading room."""
        return trading.orders_table()


class FillViewSet(TableViewSet):
    """Fills with their evidence."""

    serializer_class = serializers.FillSerializer
    filterset_class = filters.FillFilter
    ordering_fields = (
        "id",
        "filled_at",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the trading room."""
        return trading.fills_table()


class LimitsViewSet(TableViewSet):
    """The hard limits of each tenant."""

    serializer_class = serializers.LimitsSerializer
    filterset_class = filters.LimitsFilter
    ordering_fields = ("id",)

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the risk room."""
        return risk.limits_table()


class AccountViewSet(TableViewSet):
    """Accounts of the book with their balances."""

    serializer_class = serializers.AccountSerializer
    filterset_class = filters.AccountFilter
    ordering_fields = (
        "id",
        "code",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the ledger room."""
        return ledger.accounts_table()


class EntryViewSet(TableViewSet):
    """Balanced bookings with their lines."""

    serializer_class = serializers.EntrySerializer
    filterset_class = filters.EntryFilter
    ordering_fields = (
        "id",
        "booked_at",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the ledger room."""
        return ledger.entries_table()


class SettlementViewSet(TableViewSet):
    """Settlements, also reversed ones."""

    serializer_class = serializers.SettlementSerializer
    filterset_class = filters.SettlementFilter
    ordering_fields = (
        "id",
        "settled_at",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the settlement room."""
        return settlements.settlements_table()
