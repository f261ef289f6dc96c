"""A desk in the middle of its day: one market open with a position and a forecast, one settled and scored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.desk.day import Day, open_day


@pytest.fixture
def day(_django_db_helper, settings, clean_redis) -> Day:
    settings.SCHEDULE_SPEED = 1.0
    return open_day(now=datetime.now(tz=UTC).replace(microsecond=0) - timedelta(minutes=1))
