"""The health page names the queue whose work waits too long for a worker, and is patient with a desk that starts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import caches

from apps.core.database_clock import database_now
from apps.monitoring import services
from apps.monitoring.freshness import wait_max_s
from apps.monitoring.probes import all_probes
from apps.monitoring.probing import run_all
from apps.monitoring.queues import STARTING_KEY, STEADY_KEY, is_starting
from apps.monitoring.types import Check
from tests.integration.jobs.queue_rows import make_job


@pytest.fixture
def steady(transactional_db, clean_redis) -> None:
    """A desk that has been running for a while."""
    services.beat_heartbeat(now=database_now())
    caches["strict"].delete(STARTING_KEY)


def wait(seconds: float, **fields) -> None:
    now = database_now()
    make_job(now=now, next_try_at=now - timedelta(seconds=seconds), **fields)


def found() -> Check:
    return run_all({"queue": all_probes(now=database_now())["queue"]})["queue"]


@pytest.mark.parametrize(("queue", "patience_s"), [("money", 10), ("fetch", 120), ("upkeep", 120), ("backup", 3600)])
def test_work_that_waits_longer_than_its_queue_allows_is_told_by_the_name_of_the_queue(steady, queue, patience_s):
    assert wait_max_s(queue) == patience_s
    wait(patience_s * 0.4, queue=queue)
    assert (found().is_healthy, found().shown["late"]) == (True, [])
    wait(patience_s + 1, queue=queue)
    check = found()
    assert (check.is_healthy, check.shown["late"]) == (False, [queue])
    assert patience_s + 1 <= check.shown["oldest_wait_s"] < patience_s + 61
    assert check.figures["wait_max_s"] == {queue: patience_s}


def test_an_empty_desk_waits_for_nothing(steady):
    assert found() == Check(
        is_healthy=True,
        shown={"late": [], "oldest_wait_s": 0.0},
        figures={"wait_s": {}, "wait_max_s": {}, "is_starting": False},
    )


def test_work_of_a_source_waits_rightly(steady):
    wait(3000, queue="fetch", source="polymarket_gamma")
    assert found().is_healthy


def test_what_waited_before_a_start_is_not_held_against_workers_that_have_just_started(transactional_db, clean_redis):
    wait(40_000, queue="money")
    assert not found().is_healthy
    services.beat_heartbeat(now=database_now())
    check = found()
    assert (check.is_healthy, check.shown["late"]) == (True, ["money"])
    caches["strict"].delete(STARTING_KEY)  # as Redis does after a minute
    services.beat_heartbeat(now=database_now())
    assert not found().is_healthy


def test_a_start_is_the_first_tick_and_one_after_a_gap_but_none_in_between(steady):
    services.beat_heartbeat(now=database_now())
    assert not is_starting()
    caches["strict"].delete(STEADY_KEY)  # as Redis does after a gap
    services.beat_heartbeat(now=database_now())
    assert is_starting()


def test_the_pages_status_is_degraded_by_a_late_queue(steady, nobody):
    wait(30, queue="money")
    answer = nobody.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
    shown = answer.json()["checks"]["queue"]
    assert (shown["status"], shown["late"]) == ("unhealthy", ["money"])
