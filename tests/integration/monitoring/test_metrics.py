"""What Prometheus reads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.cache import cache
from django_redis import get_redis_connection
from prometheus_client.parser import text_string_to_metric_families

from apps.jobs import services as jobs
from apps.monitoring import apps, metrics, services
from apps.monitoring.metrics import metric_files
from tasks import backup
from tasks.upkeep import heartbeat
from tests.integration.jobs.queue_rows import make_job
from tests.integration.monitoring.conftest import SECONDS_OF_PATIENCE, database_at
from tests.integration.trading.desk import open_desk

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def families(answer) -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def test_figures_of_the_business_come_from_the_services_at_scrape_time(transactional_db, clean_redis, ops):
    get_redis_connection("strict").rpush("q:money", "a", "b", "c")
    _, let_go = (make_job("parked", task="tasks.settle.due", queue="money", now=NOW) for _ in range(2))
    jobs.discard(job_id=let_go.id, by="test", now=NOW)
    services.record_failure(task="tasks.trade.work", task_id="1", kwargs={}, error=ValueError("x"), now=NOW)
    answer = ops.get("/metrics")
    found = families(answer)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert found["queue_depth"] == {("fetch",): 0, ("forecast",): 0, ("money",): 3, ("backup",): 0, ("upkeep",): 0}
    assert found["dead_letters"] == {(): 1}
    assert found["task_failures_total"] == {("unexpected", "tasks.trade.work"): 1}  # labels by name: kind, task
    assert found["audit_unsealed_events"] == {(): 1}
    assert found["db_active_connections"][()] >= 1
    assert set(found) >= {"db_pool_usage_percent", "db_pool_waiting_connections", "circuit_breaker_state"}


def test_requests_are_counted_by_route_and_not_by_path(db, ops):
    before = families(ops.get("/metrics")).get("http_requests_total", {}).get(("GET", "api/v1/markets/<pk>/", "404"), 0)
    ops.get("/no/such/page/mkt_1")
    found = families(ops.get("/metrics"))
    assert found["http_requests_total"]["GET", "unmatched", "404"] >= 1
    assert not any("mkt_1" in label for labels in found["http_requests_total"] for label in labels)
    assert found["http_request_duration_seconds_count"]["GET", "unmatched"] >= 1
    assert before == 0


def test_a_dead_redis_leaves_the_figures_of_postgresql_standing(transactional_db, ops, settings):
    settings.CACHES = {**settings.CACHES, "strict": {**settings.CACHES["strict"], "LOCATION": "redis://127.0.0.1:1/0"}}
    before = metrics.SCRAPE_FAILURES.labels(part="queues")._value.get()
    found = families(ops.get("/metrics"))
    assert "queue_depth" not in found
    assert found["dead_letters"] == {(): 0}
    assert metrics.SCRAPE_FAILURES.labels(part="queues")._value.get() == before + 1


def test_a_dead_database_leaves_the_queues_standing_and_costs_no_more_than_the_deadline(
    transactional_db, clean_redis, ops, dumb_port
):
    started = time.monotonic()
    with database_at(dumb_port):
        found = families(ops.get("/metrics"))
    assert time.monotonic() - started < SECONDS_OF_PATIENCE
    assert found["queue_depth"]["money",] == 0
    assert "dead_letters" not in found
    assert "http_requests_total" in found


def test_only_the_token_and_listed_addresses_may_read(db, nobody, staff, settings):
    assert [client.get("/metrics").status_code for client in (nobody, staff)] == [401, 401]
    settings.METRICS_ALLOW_LIST = ["127.0.0.1"]
    assert nobody.get("/metrics").status_code == 200
    assert nobody.get("/metrics", REMOTE_ADDR="10.1.1.1", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401


def test_the_time_of_every_execution_is_observed_however_it_ended(db, ops):
    before = families(ops.get("/metrics")).get("task_runtime_seconds_count", {})
    heartbeat.apply()
    assert backup.take.apply(kwargs={"kind": "yearly"}).failed()
    after = families(ops.get("/metrics"))["task_runtime_seconds_count"]
    grown = {labels: count - before.get(labels, 0) for labels, count in after.items()}
    assert {labels: count for labels, count in grown.items() if count} == {
        ("tasks.backup.take",): 1,
        ("tasks.upkeep.heartbeat",): 1,
    }


def test_look_ups_in_the_cache_are_counted(db, clean_redis, ops):
    before = families(ops.get("/metrics"))
    cache.set("nothing", None)
    assert [cache.get("nothing", "default"), cache.get("absent", "default")] == [None, "default"]
    after = families(ops.get("/metrics"))
    assert after["cache_hits_total"][()] - before["cache_hits_total"][()] == 1
    assert after["cache_misses_total"][()] - before["cache_misses_total"][()] == 1


def test_limits_are_shown_in_decimal_strings_of_money(db, ops):
    open_desk(with_market=True)
    limits = ops.get("/risk/status").json()["tenants"]["alice"]["limits"]
    assert not [name for name in limits if name.endswith("_minor")]
    assert Decimal(limits["trade_max"]).as_tuple().exponent == -6


def test_the_uptime_began_before_the_first_request(db, clean_redis, ops):
    set_up_s = time.monotonic() - apps.STARTED_S
    assert set_up_s <= ops.get("/api/metrics").json()["uptime_s"] + 0.1 <= set_up_s + SECONDS_OF_PATIENCE


COUNT_TWICE = """
from prometheus_client import Counter
counter = Counter("rings", "Rings.")
counter.inc(2)
"""


def test_counters_of_all_services_are_added_up(tmp_path, settings, monkeypatch):
    settings.PROCESS_TYPE = "web"
    for name in ("web", "worker_money"):
        folder = tmp_path / name
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-c", COUNT_TWICE], check=True, env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
        )
    assert len(metric_files(tmp_path / "web")) == 2
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "web"))
    assert metrics.process_registry().get_sample_value("rings_total") == 4


def test_a_folder_of_another_name_stands_alone(tmp_path, settings):
    settings.PROCESS_TYPE = "web"
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "counter_12.db").touch()
    assert metric_files(tmp_path / "mine") == [str(tmp_path / "mine" / "counter_12.db")]


@pytest.mark.parametrize("path", ["/api/metrics", "/monitoring/metrics", "/backup/status", "/risk/status"])
def test_the_same_house_as_json_is_for_staff_and_ops(path, db, clean_redis, staff, stranger, nobody, ops):
    assert [client.get(path).status_code for client in (nobody, stranger, staff, ops)] == [401, 401, 200, 200]


def test_operations_are_summed_up_by_source(db, clean_redis, ops):
    from apps.sources import services as sources
    from apps.sources.models import FetchLog

    now = datetime.now(tz=UTC)
    sources.ensure_sources(by="test", now=now)
    for duration_ms, outcome in ((10, "ok"), (20, "ok"), (30, "timed-out")):
        FetchLog.objects.create(
            source_id="yahoo", operation="candles", by="test", started_at=now, duration_ms=duration_ms, outcome=outcome,
            calls=1, bytes=0, rate_wait_ms=0, breaker_state="closed", records=5, rejected=0,
        )  # fmt: skip
    body = ops.get("/api/metrics").json()
    assert list(body["operations"]) == ["yahoo.candles"]
    assert body["operations"]["yahoo.candles"] == {
        "fetches": 3, "failures": 1, "records_sum": 15, "mean_ms": 20.0, "p95_ms": 29.0, "min_ms": 10, "max_ms": 30,
    }  # fmt: skip
    assert set(body) == {"timestamp", "uptime_s", "period_s", "cache", "operations", "vendors", "answers", "errors"}
