"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.core.cache import caches
from django.db.backends.postgresql.operations import DatabaseOperations
from hypothesis import settings as hypothesis_settings

# No example is too slow: a busy machine must break no test.
hypothesis_settings.register_profile("house", deadline=None)
hypothesis_settings.load_profile("house")

_flush_tables = DatabaseOperations.execute_sql_flush
ASLEEP = "SET LOCAL session_replication_role = replica;"
# Days of quotes are tables that no model manages, so Django does not empty them.
DROP_DAYS = """
    DO $$ DECLARE day regclass; BEGIN
        FOR day IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = to_regclass('markets_quote')
        LOOP EXECUTE format('DROP TABLE %s', day); END LOOP;
    END $$;
"""


def _flush_past_append_only_triggers(self: DatabaseOperations, sql_list: list[str]) -> None:
    """Empty the tables between transactional tests: as a superuser may, with the append-only triggers asleep."""
    _flush_tables(self, [ASLEEP, DROP_DAYS, *sql_list])


@pytest.fixture(autouse=True, scope="session")
def _flush_may_empty_append_only_tables() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(DatabaseOperations, "execute_sql_flush", _flush_past_append_only_triggers)
    yield
    patch.undo()


@pytest.fixture
def clean_redis() -> Iterator[str]:
    """Give the broker's address with empty databases (broker, cache, kit), and leave them empty."""
    urls = (settings.BROKER_REDIS_URL, str(settings.CACHES["default"]["LOCATION"]), settings.KIT_REDIS_URL)
    _flush(urls)
    yield settings.BROKER_REDIS_URL
    caches.close_all()
    _flush(urls)


def _flush(urls: tuple[str, ...]) -> None:
    for url in urls:
        with redis.Redis.from_url(url) as client:
            client.flushdb()
