"""What the tests of the kit's Redis stores share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings as desk


@pytest.fixture
def prefix() -> Iterator[str]:
    """Yield a prefix of this test alone; its keys are gone afterwards."""
    own = f"test-{uuid.uuid4().hex}:"
    yield own
    with redis.Redis.from_url(desk.KIT_REDIS_URL) as client:
        names = list(client.scan_iter(match=f"{own}*", count=1_000))
        if names:
            client.delete(*names)
