"""The list of articles and posts."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from apps.api.filters import news as filters
from apps.api.serializers import news as serializers
from apps.api.views.base import Row, TableViewSet
from apps.news import selectors as news


class ArticleViewSet(TableViewSet):
    """Articles and posts, each once however many sources show it."""

    serializer_class = serializers.ArticleSerializer
    filterset_class = filters.ArticleFilter
    ordering_fields = (
        "id",
        "published_at",
    )

    def table(self) -> QuerySet[Any, Row]:
        """Rows of the news room."""
        return news.articles_table()
