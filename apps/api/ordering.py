"""`?ordering=` that refuses what it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import ValidationError
from rest_framework.filters import OrderingFilter

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.views import APIView


class StrictOrdering(OrderingFilter):
    """Order by one of the view's `ordering_fields`, `-` in front for descending."""

    def remove_invalid_fields(self, queryset: QuerySet[Any], fields: Any, view: APIView, request: Request) -> list[str]:
        """Return the fields. Raises ValidationError naming `ordering` for one that the list does not offer."""
        wished = list(fields)
        valid = super().remove_invalid_fields(queryset, fields, view, request)
        if wished != list(valid):
            offered = ", ".join(name for name, _ in self.get_valid_fields(queryset, view, {"request": request}))
            raise ValidationError({"ordering": [f"One of {offered}, with - in front for descending."]})
        return wished
