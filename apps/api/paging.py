"""Pages by cursor: stable while rows are added, and as fast on the last page as on the first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError as WrongValue
from django.db import DataError
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.views import APIView

LIMIT_DEFAULT, LIMIT_MAX = 50, 200
CURSOR = re.compile(r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class CursorPage(CursorPagination):
    """`?limit=` rows a page (1 to 200) from the opaque `?cursor=` on."""

    page_size = LIMIT_DEFAULT
    max_page_size = LIMIT_MAX
    page_size_query_param = "limit"
    ordering = "-id"

    def get_page_size(self, request: Request) -> int:
        """Return the rows a page. Raises ValidationError naming `limit`."""
        text = request.query_params.get("limit", str(LIMIT_DEFAULT))
        if not (text.isascii() and text.isdecimal()) or len(text) > 4 or not 1 <= int(text) <= LIMIT_MAX:
            raise ValidationError({"limit": [f"A whole number from 1 to {LIMIT_MAX}."]})
        return int(text)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str, ...]:
        """Return the wished order, made total by the key, so that no row is on two pages or on none."""
        wished = tuple(super().get_ordering(request, queryset, view))
        key: str = getattr(view, "lookup_field", "id")
        if key in {name.lstrip("-") for name in wished}:
            return wished
        return (*wished, f"-{key}" if wished[0].startswith("-") else key)

    def decode_cursor(self, request: Request) -> Any:
        """Read the cursor; the library would read what is not base 64 as the beginning of the list."""
        if not CURSOR.fullmatch(request.query_params.get("cursor", "")):
            raise NotFound
        return super().decode_cursor(request)

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any] | None:
        """Read one page. Raises ValidationError naming `cursor` where the library would say 404 or fail on its content."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, WrongValue, ValueError, DataError):
            raise ValidationError({"cursor": ["Not a cursor of this list."]}) from None
