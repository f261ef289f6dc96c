"""Articles, where else they were seen, and what they are about."""

from __future__ import annotations

from django.db import models

from apps.core.models import PrefixedIdField
from apps.sources.types import LANGUAGE_LENGTH, PUBLISHER_LENGTH, SUMMARY_LENGTH, TITLE_LENGTH, URL_LENGTH

KINDS = ("news", "post")
REASONS = ("symbol", "cashtag", "name", "keywords")
KEY_LENGTH = 120


class Article(models.Model):
    """One piece of news or one post, as the source that showed it first gave it."""

    id = PrefixedIdField(prefix="art")
    kind = models.CharField(max_length=10, choices=[(kind, kind) for kind in KINDS])
    source = models.CharField(max_length=30)
    source_key = models.CharField(max_length=KEY_LENGTH)
    url = models.CharField(max_length=URL_LENGTH)
    url_digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the canonical address")
    title = models.CharField(max_length=TITLE_LENGTH)
    summary = models.CharField(max_length=SUMMARY_LENGTH, blank=True)
    publisher = models.CharField(max_length=PUBLISHER_LENGTH, blank=True)
    language = models.CharField(max_length=LANGUAGE_LENGTH, blank=True)
    published_at = models.DateTimeField()
    received_at = models.DateTimeField()
    score = models.IntegerField(null=True, blank=True)
    symbols = models.JSONField(default=list, blank=True, help_text="what the source ties it to")

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=models.Q(kind__in=KINDS), name="article_kind_is_known"),
            models.CheckConstraint(condition=~models.Q(title=""), name="article_has_a_title"),
            models.CheckConstraint(
                condition=models.Q(published_at__lte=models.F("received_at")), name="article_not_of_the_future"
            ),
        )
        indexes = (
            models.Index(fields=("-published_at", "-id"), name="article_newest"),
            models.Index(fields=("kind", "published_at"), name="article_kind_published"),
        )

    def __str__(self) -> str:
        return self.title


class ArticleSighting(models.Model):
    """An article as one source shows it; the first sighting is the one that the article was made of."""

    id = models.BigAutoField(primary_key=True)
    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="sightings")
    source = models.CharField(max_length=30)
    source_key = models.CharField(max_length=KEY_LENGTH)
    url = models.CharField(max_length=URL_LENGTH)
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("source", "source_key"), name="one_sighting_per_source_key"),)

    def __str__(self) -> str:
        return f"{self.source} {self.source_key}"


class ArticleLink(models.Model):
    """What an article is about: a market or an instrument, why we think so, and how strongly (0 to 1)."""

    id = models.BigAutoField(primary_key=True)
    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="links")
    market = models.ForeignKey("markets.Market", null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    instrument = models.ForeignKey("markets.Instrument", null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=10, choices=[(reason, reason) for reason in REASONS])
    strength = models.DecimalField(max_digits=4, decimal_places=3)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("article", "market"), name="one_link_per_article_and_market"),
            models.UniqueConstraint(fields=("article", "instrument"), name="one_link_per_article_and_instrument"),
            models.CheckConstraint(
                condition=models.Q(market__isnull=True, instrument__isnull=False)
                | models.Q(market__isnull=False, instrument__isnull=True),
                name="link_has_one_end",
            ),
            models.CheckConstraint(condition=models.Q(strength__gt=0, strength__lte=1), name="link_strength_is_a_share"),
            models.CheckConstraint(condition=models.Q(reason__in=REASONS), name="link_reason_is_known"),
        )

    def __str__(self) -> str:
        return f"{self.article_id} {self.market_id or self.instrument_id}"
