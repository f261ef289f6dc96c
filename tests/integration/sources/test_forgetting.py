"""Old log rows go in batches; what is young enough stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.sources import services
from apps.sources.models import FetchLog, Quarantine, Source
from apps.sources.services import forgetting

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def _fetch(source: Source, age_days: int) -> FetchLog:
    return FetchLog(
        source=source, operation="markets", by="test", started_at=NOW - timedelta(days=age_days), duration_ms=1, outcome="ok",
        calls=1, bytes=1, rate_wait_ms=0, breaker_state="closed", records=1, rejected=0,
    )  # fmt: skip


def _quarantined(source: Source, age_days: int, digest: str) -> Quarantine:
    at = NOW - timedelta(days=90)
    return Quarantine(
        source=source, operation="markets", reason="not a number", payload_digest=digest, at=at, last_seen_at=NOW - timedelta(days=age_days)
    )  # fmt: skip


@pytest.fixture
def source() -> Source:
    return Source.objects.create(slug="yahoo", name="Yahoo", created_at=NOW)


def test_old_rows_go_in_batches_and_young_ones_stay(source, monkeypatch):
    monkeypatch.setattr(forgetting, "BATCH_ROWS", 2)
    FetchLog.objects.bulk_create([_fetch(source, age_days) for age_days in (40, 39, 38, 37, 31, 29, 0)])
    Quarantine.objects.bulk_create([_quarantined(source, 31, "a"), _quarantined(source, 1, "b")])
    assert services.forget_old_fetches(keep_days=30, now=NOW) == 6
    assert FetchLog.objects.count() == 2
    assert list(Quarantine.objects.values_list("payload_digest", flat=True)) == ["b"]


def test_nothing_old_means_nothing_happens(source):
    FetchLog.objects.bulk_create([_fetch(source, 1)])
    assert services.forget_old_fetches(keep_days=30, now=NOW) == 0
    assert FetchLog.objects.count() == 1
