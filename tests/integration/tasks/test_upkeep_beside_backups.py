"""A backup takes up to an hour; the workers of the process table keep the heartbeat fresh and the audit sealed meanwhile."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from django.core.cache import caches

from apps.audit import selectors as audit
from apps.audit import services as auditing
from apps.core import clock
from apps.core.db import transaction
from apps.jobs import services as jobs
from apps.monitoring.queues import HEARTBEAT_KEY, last_heartbeat
from project.local.processes import WORKERS
from tests.integration.tasks import worker_world as world

pytestmark = pytest.mark.django_db(transaction=True)
BACKUP_S, TICK_S, OLDEST_S = 6.0, 1.0, 3.0


@pytest.fixture(autouse=True)
def _clean(clean_redis, transactional_db):
    world.prepare()
    caches["strict"].delete(HEARTBEAT_KEY)


@transaction
def something_to_seal(number: int) -> None:
    auditing.record(action="test.done", subject=f"{number}", detail={}, by="test", now=clock.now())


def heartbeat_age_s() -> float:
    ticked_at = last_heartbeat()
    return float("inf") if ticked_at is None else (clock.now() - ticked_at).total_seconds()


def tick(number: int) -> None:
    """Do what beat does, in shorter intervals."""
    something_to_seal(number)
    world.enqueue("tasks.upkeep.heartbeat")
    world.enqueue("tasks.upkeep.seal")


def test_the_heart_beats_and_seals_are_set_while_a_backup_runs(tmp_path):
    concerned = [worker for worker in WORKERS if {"backup", "upkeep"} & set(worker.queues)]
    with ExitStack() as ends:
        logs = [
            ends.enter_context(
                world.worker(tmp_path, name=worker.name, queue=",".join(worker.queues), concurrency=worker.concurrency)
            )
            for worker in concerned
        ]
        backup = jobs.enqueue(
            task="clockwork.mark", kwargs={"name": "dump", "work_s": BACKUP_S}, queue="backup", now=clock.now(), by="test"
        )
        world.wait_until(lambda: world.job(backup.job_id).state == "running", 20)
        tick(0)
        world.wait_until(lambda: heartbeat_age_s() < OLDEST_S, 3, lambda: [log.text()[-2000:] for log in logs])
        ages_s, waiting, number = [], [], 0
        while world.job(backup.job_id).state == "running":
            number += 1
            tick(number)
            time.sleep(TICK_S)
            ages_s.append(heartbeat_age_s())
            waiting.append(audit.unsealed_count())
        world.wait_for_end(20)
    assert number >= 3, "the backup was to run for some seconds"
    assert max(ages_s) < OLDEST_S
    assert max(waiting) <= 2, "each tick left one event, and the ones before it are under a seal"
    assert [name for name, _, _ in world.marks()] == ["dump"]
    assert world.states() == {"done": 1 + 2 * (number + 1)}
