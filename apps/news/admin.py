"""The news in the admin: what others wrote is read-only."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import TabularInline

from apps.core.read_only import ReadOnly, ReadOnlyAdmin
from apps.news.models import Article, ArticleLink, ArticleSighting


class SightingsInline(ReadOnly, TabularInline):
    """Where an article was seen."""

    model = ArticleSighting
    fields = ("source", "source_key", "url", "seen_at")
    extra = 0


class LinksInline(ReadOnly, TabularInline):
    """What an article is about."""

    model = ArticleLink
    fields = ("market", "instrument", "reason", "strength")
    extra = 0


@admin.register(Article)
class ArticleAdmin(ReadOnlyAdmin):
    """Articles and posts, each once."""

    list_display = ("title", "kind", "source", "publisher", "published_at", "score")
    list_filter = ("kind", "source")
    search_fields = ("=id", "title", "publisher")
    inlines = (SightingsInline, LinksInline)


@admin.register(ArticleSighting)
class ArticleSightingAdmin(ReadOnlyAdmin):
    """Every sighting."""

    list_display = ("article", "source", "source_key", "seen_at")
    list_filter = ("source",)
    list_select_related = ("article",)
    search_fields = ("=article__id", "=source_key")


@admin.register(ArticleLink)
class ArticleLinkAdmin(ReadOnlyAdmin):
    """Every link."""

    list_display = ("article", "market", "instrument", "reason", "strength")
    list_filter = ("reason",)
    list_select_related = ("article", "market", "instrument")
    search_fields = ("=article__id", "=market__id", "=instrument__id")
