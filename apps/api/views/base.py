"""The one shape of every list: rows of a room's table, filtered, ordered, paged by cursor; and one row by its id."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend  # type: ignore[import-untyped]  # the library has no types
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.viewsets import GenericViewSet

from apps.api.ordering import StrictOrdering

Row = dict[str, Any]


class TableViewSet(ListModelMixin, RetrieveModelMixin, GenericViewSet[Any]):
    """Read-only rows of the `QuerySet` of dicts that a room's selector offers.

    A row that does not exist and one that the caller may not see give the same 404.
    """

    lookup_value_regex = "[0-9a-z_]{1,40}"
    filter_backends = (DjangoFilterBackend, StrictOrdering)
    ordering_fields: ClassVar[tuple[str, ...]] = ("id",)
    ordering: ClassVar[tuple[str, ...]] = ("-id",)

    def table(self) -> QuerySet[Any, Row]:
        """Return the rows; each list says where they come from."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any, Row]:
        """Return fresh rows for this request."""
        return self.table()
