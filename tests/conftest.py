"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.core.cache import caches


@pytest.fixture
def clean_redis() -> Iterator[str]:
    """Give the broker's address with empty databases (broker, cache, kit), and leave them empty."""
    urls = (settings.BROKER_REDIS_URL, settings.CACHES["default"]["LOCATION"], settings.KIT_REDIS_URL)
    _flush(urls)
    yield settings.BROKER_REDIS_URL
    caches.close_all()
    _flush(urls)


def _flush(urls: tuple[str, ...]) -> None:
    for url in urls:
        with redis.Redis.from_url(url) as client:
            client.flushdb()
