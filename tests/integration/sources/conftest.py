"""A scripted vendor that the registry's addresses point to, and a kit without memories of other tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from apps.resilience.testing import no_waiting
from apps.sources import http, registry
from tests.integration.sources.upstream import Upstream

NOW = datetime(2026, 6, 8, 12, tzinfo=UTC)


@pytest.fixture
def vendor(settings) -> Iterator[Upstream]:
    upstream = Upstream()
    urls = {slug: f"{upstream.url}/{slug}" for slug in registry.slugs()}
    settings.VENDORS = {slug: {"base_url": url, "api_key": "", "rate_per_minute": 6_000} for slug, url in urls.items()}
    for slug in registry.slugs():
        http.reset(slug)
    with no_waiting():
        yield upstream
    http.shut_down()
    upstream.close()
