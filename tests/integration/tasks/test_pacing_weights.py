"""Fairness between tenants by weight: from the row of the tenant through real messages to the order in which they come."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.conf import settings as desk

from apps.core.bell import Bell, ring_all
from apps.jobs.models import Job
from apps.resilience import Pace
from apps.sources.pacing import paced_queue
from apps.tenants import services, weights
from apps.tenants.models import Tenant
from tasks import pacing
from tasks.pacing import Mover
from tests.integration.tasks.paced_world import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_redis", "no_reading_yet")]
BOOKS, REDDIT = "tasks.ingest.books", "reddit"
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
EACH, SLOTS = 60, 40


@pytest.fixture
def no_reading_yet(monkeypatch):
    monkeypatch.setattr(weights, "_weights", weights.Weights())


def tenant(slug: str, weight: int = 1) -> str:
    return Tenant.objects.create(slug=slug, name=slug, currency="USDC", created_at=NOW, queue_weight=weight).id


def fill(*tenants: str) -> None:
    """Let each of the tenants ring for EACH jobs, after one message that takes the slot of this second."""
    ring(["job_first"])
    for who in tenants:
        ring([f"job_{who}_{n}" for n in range(EACH)], who)


def ring(jobs: list[str], tenant: str = "") -> None:
    ring_all([Bell(task=BOOKS, queue="fetch", job_id=job, source=REDDIT, tenant=tenant) for job in jobs])


def write_down_what_waits() -> None:
    """Give what waits its rows: no slot goes to a message whose job is not there."""
    Job.objects.bulk_create(
        Job(
            id=found.id.removeprefix("job "), task=BOOKS, queue="fetch", source=REDDIT, next_try_at=NOW, rung_at=NOW, made_at=NOW,
            made_by="test",
        )
        for found in paced_queue().peek(REDDIT, 500).ahead
    )  # fmt: skip


def first_come(monkeypatch, waits: str) -> Counter[str]:
    """Let slots come each hundredth of a second and a mover step; return whose the first SLOTS messages were."""
    mover, found = Mover(), list[str]()
    monkeypatch.setattr(pacing, "pace_of", lambda _: Pace.per_minute(6_000, burst=1))
    ring([f"job_{waits}_0"], waits)  # it waits already: this says the pace alone
    write_down_what_waits()

    def have_come() -> bool:
        mover.step()
        found[:] = published()[1 : SLOTS + 1]
        return len(found) == SLOTS

    wait_until(have_come, 30)
    return Counter(found)


def published() -> list[str]:
    """Return whose the messages in the broker's queue are, the oldest first."""
    with redis.Redis.from_url(desk.BROKER_REDIS_URL) as broker:
        raws: Any = broker.lrange("q:fetch", 0, -1)
    jobs = [json.loads(raw)["headers"]["job"] for raw in reversed(raws)]
    return [job.removeprefix("job_").rsplit("_", 1)[0] for job in jobs]


def test_of_two_tenants_with_a_backlog_the_one_of_weight_three_gets_three_of_four_slots(monkeypatch):
    light, heavy = tenant("light"), tenant("heavy", 3)
    fill(light, heavy)
    came = first_come(monkeypatch, light)
    assert set(came) == {light, heavy}
    assert abs(came[heavy] - 30) <= 1
    assert abs(came[light] - 10) <= 1


def test_tenants_that_nobody_knows_weigh_one(monkeypatch):
    fill("tnt_nobody", tenant("known", 3))
    came = first_come(monkeypatch, "tnt_nobody")
    assert abs(came["tnt_nobody"] - 10) <= 1


def test_a_weight_that_is_changed_holds_for_what_waits_already(monkeypatch):
    first, second = tenant("first"), tenant("second")
    fill(first, second)
    services.edit_tenant(tenant_id=second, changes={"queue_weight": 3}, by="user:ann", now=NOW)
    weights._weights._read_s = float("-inf")  # ten seconds later
    came = first_come(monkeypatch, first)
    assert abs(came[second] - 30) <= 1
    assert abs(came[first] - 10) <= 1


def test_what_belongs_to_no_tenant_takes_its_turn_among_them(monkeypatch):
    fill("", tenant("heavy", 3))
    assert {line.tenant: line.count for line in paced_queue().waiting()}[""] == EACH
    came = first_come(monkeypatch, "")
    assert abs(came[""] - 10) <= 1


def test_ringing_for_the_jobs_of_many_tenants_reads_the_weights_once(django_assert_num_queries):
    with django_assert_num_queries(1):
        fill(*(f"tnt_{n}" for n in range(5)))
    assert sum(line.count for line in paced_queue().waiting()) == 5 * EACH
