"""How money and prices are written: decimal strings, exact, without needless zeros for prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.money import as_text

DECIMAL_SCHEMA = {"type": "string", "format": "decimal", "examples": ["0.515"]}


@extend_schema_field(DECIMAL_SCHEMA)
class PlainDecimal(serializers.Field[Decimal, Any, str, Any]):
    """A decimal as a string: exact, never in powers of ten, no trailing zeros."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: Decimal) -> str:
        """Write the decimal."""
        return f"{value.normalize():f}"


@extend_schema_field(DECIMAL_SCHEMA)
class MoneyText(serializers.Field[dict[str, Any], Any, str | None, Any]):
    """Minor units of the row's currency as a decimal string of major units with all decimals of that currency."""

    def __init__(self, amount: str, currency: str = "currency", **options: Any) -> None:
        self.amount, self.currency = amount, currency
        super().__init__(source="*", read_only=True, **options)

    def to_representation(self, value: dict[str, Any]) -> str | None:
        """Write the amount; null where the row has none."""
        amount_minor = value[self.amount]
        return None if amount_minor is None else as_text(amount_minor, value[self.currency])
