"""What the API shows of articles and posts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

Rows = serializers.Serializer[dict[str, Any]]


class ArticleSerializer(Rows):
    """One article or post as the source that showed it first gave it; all texts are plain."""

    id = serializers.CharField()
    kind = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # DRF takes declared fields off the class
    url = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    publisher = serializers.CharField()
    language = serializers.CharField(help_text="ISO 639-1, empty where the source does not say")
    published_at = serializers.DateTimeField(help_text="never after received_at")
    received_at = serializers.DateTimeField()
    score = serializers.IntegerField(allow_null=True, help_text="what readers gave it, where the source counts it")
    symbols = serializers.ListField(child=serializers.CharField(), help_text="what the source ties it to")
