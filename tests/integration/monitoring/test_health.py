"""Health pages on real servers, and on servers that are dead or dumb."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.jobs.models import Schedule
from apps.markets.models import Market
from apps.monitoring import services
from apps.sources import services as sources
from apps.sources.models import Source
from tests.integration.monitoring.conftest import SECONDS_OF_PATIENCE, database_at
from tests.integration.trading.desk import open_desk

CHECKS = {
    "database": {"status", "pool_usage", "connections"},
    "recent_predictions": {"status", "last_prediction", "age_minutes"},
    "paper_trading": {"status", "paper_trading_enabled"},
    "model_loaded": {"status", "exists"},
    "redis": {"status"},
    "celery": {"status", "last_heartbeat", "queued"},
    "queue": {"status", "late", "oldest_wait_s"},
    "sources": {"status", "sources", "stale"},
    "backups": {"status", "last_backup"},
    "schedules": {"status", "schedules", "overdue"},
}


@pytest.fixture
def now() -> datetime:
    return datetime.now(tz=UTC)


@pytest.fixture
def running_desk(transactional_db, clean_redis, now):
    """A desk whose sources brought something, whose clockwork ticks, and whose tenant is new."""
    sources.ensure_sources(by="test", now=now)
    Source.objects.update(last_success_at=now)
    open_desk(with_market=True)
    services.beat_heartbeat(now=now)
    from apps.tenants.models import Tenant

    Tenant.objects.update(created_at=now)


def timed(client, path):
    started = time.monotonic()
    answer = client.get(path)
    return answer, time.monotonic() - started


def put_redis_at(settings, port):
    strict = {**settings.CACHES["strict"], "LOCATION": f"redis://127.0.0.1:{port}/0"}
    settings.CACHES = {**settings.CACHES, "strict": strict}


def test_a_running_desk_is_healthy_and_every_check_has_its_figures(running_desk, nobody):
    answer = nobody.get("/health")
    body = answer.json()
    failing = {name: check for name, check in body["checks"].items() if check["status"] != "healthy"}
    assert failing == {}
    assert (answer.status_code, body["status"]) == (200, "healthy")
    assert set(body) == {"timestamp", "status", "version", "checks"}
    assert {name: set(check) for name, check in body["checks"].items()} == CHECKS
    assert body["checks"]["paper_trading"]["paper_trading_enabled"] is True
    assert body["checks"]["model_loaded"]["exists"] is True


def test_a_desk_without_a_tick_is_degraded(running_desk, clean_redis, nobody):
    from django.core.cache import caches

    caches["strict"].clear()
    answer = nobody.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
    assert answer.json()["checks"]["celery"]["status"] == "unhealthy"
    assert answer.json()["checks"]["database"]["status"] == "healthy"


def test_a_source_that_is_silent_too_long_is_named_and_the_worlds_speed_shortens_the_limit(running_desk, nobody, settings, now):
    Source.objects.filter(slug="yahoo").update(last_success_at=now - timedelta(minutes=10))
    settings.SCHEDULE_SPEED = 1.0
    assert nobody.get("/health").json()["checks"]["sources"]["stale"] == []
    settings.SCHEDULE_SPEED = 60.0
    check = nobody.get("/health").json()["checks"]["sources"]
    assert (check["status"], check["stale"]) == ("unhealthy", ["yahoo"])


def test_a_source_of_books_may_be_silent_while_no_market_takes_orders(running_desk, nobody, now):
    Source.objects.filter(slug="polymarket_clob").update(last_success_at=now - timedelta(days=1))
    assert nobody.get("/health").json()["checks"]["sources"]["stale"] == ["polymarket_clob"]
    Market.objects.update(state="resolved")
    assert nobody.get("/health").json()["checks"]["sources"]["stale"] == []
    Source.objects.filter(slug="polymarket_gamma").update(last_success_at=now - timedelta(days=1))
    assert nobody.get("/health").json()["checks"]["sources"]["stale"] == ["polymarket_gamma"]


def test_a_schedule_that_has_not_succeeded_for_too_long_is_named(running_desk, nobody, staff, now):
    every_minute = IntervalSchedule.objects.create(every=1, period="minutes")
    PeriodicTask.objects.create(name="settle", task="tasks.settle.due", interval=every_minute)
    Schedule.objects.create(name="settle", last_success_at=now)
    assert nobody.get("/health").json()["checks"]["schedules"] == {"status": "healthy", "schedules": 1, "overdue": []}
    PeriodicTask.objects.update(date_changed=now - timedelta(days=1))
    Schedule.objects.update(last_success_at=now - timedelta(minutes=11))
    answer = nobody.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
    assert answer.json()["checks"]["schedules"] == {"status": "unhealthy", "schedules": 1, "overdue": ["settle"]}
    figures = staff.get("/health/detailed").json()["checks"]["schedules"]["figures"]
    assert figures["alert_after_s"] == {"settle": 600.0}
    PeriodicTask.objects.update(enabled=False)
    assert nobody.get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/readyz", "/health", "/health/detailed", "/metrics", "/api/metrics", "/risk/status"])
@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "FOO"])
def test_a_page_that_is_only_read_refuses_other_methods_as_a_problem(path, method, settings):
    settings.OPS_TOKEN = "ops-token-of-the-tests"
    program = Client(headers={"Authorization": "Bearer ops-token-of-the-tests"}, enforce_csrf_checks=True)
    answer = program.generic(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "method-not-allowed"


def test_a_dead_database_gives_503_in_time_with_every_field(transactional_db, clean_redis, nobody):
    with database_at(1):
        answer, took_s = timed(nobody, "/health")
    body = answer.json()
    assert answer.status_code == 503
    assert body["checks"]["database"] == {
        "status": "unhealthy",
        "pool_usage": None,
        "connections": None,
        "reason": "OperationalError",
    }
    assert [body["checks"][name]["status"] for name in ("redis", "paper_trading", "model_loaded")] == ["healthy"] * 3
    assert {name: keys <= set(body["checks"][name]) for name, keys in CHECKS.items()} == dict.fromkeys(CHECKS, True)
    assert took_s < SECONDS_OF_PATIENCE
    assert b"Traceback" not in answer.content
    assert b"127.0.0.1" not in answer.content


def test_a_database_that_never_answers_costs_no_more_than_the_deadline(transactional_db, clean_redis, nobody, dumb_port):
    with database_at(dumb_port):
        answer, took_s = timed(nobody, "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "failing": ["database"]})
    assert took_s < SECONDS_OF_PATIENCE


@pytest.mark.parametrize("kind", ["dead", "dumb"])
def test_a_dead_or_dumb_redis_gives_503_naming_it(transactional_db, nobody, settings, dumb_port, kind):
    put_redis_at(settings, 1 if kind == "dead" else dumb_port)
    answer, took_s = timed(nobody, "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "failing": ["redis"]})
    assert nobody.get("/health").json()["checks"]["redis"]["status"] == "unhealthy"
    assert took_s < SECONDS_OF_PATIENCE


def test_health_and_life_are_told_with_everything_dead(nobody, settings):
    put_redis_at(settings, 1)
    with database_at(1):
        assert [nobody.get(path).status_code for path in ("/healthz", "/livez")] == [200, 200]


def test_ready_when_both_answer(transactional_db, clean_redis, nobody):
    answer = nobody.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "failing": []})


def test_figures_are_for_staff_and_ops_only(running_desk, staff, stranger, nobody, ops):
    assert [client.get("/health/detailed").status_code for client in (nobody, stranger, staff, ops)] == [401, 401, 200, 200]
    figures = ops.get("/health/detailed").json()["checks"]["celery"]["figures"]
    assert set(figures) == {"heartbeat_age_s", "queues"}
    assert set(figures["queues"]) == {"fetch", "forecast", "money", "backup", "upkeep"}


def test_a_wrong_token_is_refused(settings, nobody, db):
    settings.OPS_TOKEN = "right"
    answer = nobody.get("/health/detailed", headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json()["code"] == "not-authenticated"


def test_no_token_opens_nothing_while_none_is_set(settings, nobody, db):
    settings.OPS_TOKEN = ""
    assert nobody.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401
