"""Caring for jobs: what the caretaker's loop does at each look, the news of lost workers, and letting go of old rows."""

from __future__ import annotations

from typing import Any

import structlog
from celery import shared_task
from django.conf import settings
from prometheus_client import Counter
from redis.exceptions import RedisError

from apps.core import clock
from apps.jobs import services as jobs
from apps.monitoring.queues import queue_depths
from apps.resilience import StoreUnavailable
from apps.sources.selectors import count_waiting
from tasks.base import DeskTask
from tasks.broker_memory import forgotten_until, made_up_for

log = structlog.get_logger(__name__)

RERUNG = Counter("bells_rerung_total", "Bells rung again for jobs whose message was lost.")
LOOK_EVERY_S = 1.0
LOOK_AGAIN_AFTER_S = 2.0


def reconcile_step() -> float:
    """Take back jobs of silent workers, ring for those whose bells were lost, and return the seconds until the next look.

    While the broker is away no bell would arrive: depths are not known, and nothing is rung.
    """
    try:
        depths, paced, forgotten = queue_depths(), count_waiting(), forgotten_until()
    except (RedisError, OSError, StoreUnavailable) as error:
        log.warning("caretaker_waits_for_broker", error=type(error).__name__)
        return LOOK_AGAIN_AFTER_S
    done = jobs.reconcile(depths=depths, paced=paced, forgotten_until=forgotten)
    if forgotten and done.has_rung_all:
        made_up_for(forgotten)
    RERUNG.inc(done.rerung)
    if done.rerung or done.freed or done.parked:
        log.info("caretaker_looked", rerung=done.rerung, freed=done.freed, parked=done.parked)
    return LOOK_EVERY_S


@shared_task(base=DeskTask, name="tasks.jobs.lost")
def lost(*, lost_job: str, owner: str, reason: str, **_: Any) -> None:
    """Write down that the worker of a job was killed, if it is still that worker's."""
    jobs.lose(job_id=lost_job, owner=owner, reason=reason)


@shared_task(base=DeskTask, name="tasks.jobs.forget")
def forget(**_: Any) -> None:
    """Let go of jobs that ended long ago."""
    jobs.forget(keep_days=settings.JOB_KEEP_DAYS, now=clock.now())
