"""The cache with its hits and misses counted, for `/metrics`."""

from __future__ import annotations

from typing import Any

from django_redis.cache import RedisCache
from prometheus_client import Counter

HITS = Counter("cache_hits", "Look-ups that the cache answered.")
MISSES = Counter("cache_misses", "Look-ups that the cache did not answer, also because it was away.")
NOTHING = object()


class CountedCache(RedisCache):  # type: ignore[misc]  # django-redis has no types
    """Redis as a cache; single look-ups are counted, and a stored None is a hit."""

    def get(self, key: Any, default: Any = None, version: int | None = None, client: Any = None) -> Any:
        """Return what is stored under `key`, or `default`."""
        found = super().get(key, NOTHING, version=version, client=client)
        (MISSES if found is NOTHING else HITS).inc()
        return default if found is NOTHING else found
