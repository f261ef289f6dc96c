"""A broker that came back empty is known by the key that it lost, whoever looks, and is made up for once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import redis

from apps.core.database_clock import database_now
from apps.jobs import services as jobs
from apps.jobs.types import NewJob
from apps.monitoring.queues import queue_depths
from tasks import broker_memory
from tasks import jobs as caretaking

pytestmark = pytest.mark.django_db(transaction=True)
TASK, QUEUE = "tasks.upkeep.seal", "upkeep"


@pytest.fixture
def broker(clean_redis):
    with redis.Redis.from_url(clean_redis) as server:
        yield server


def noted_moment() -> datetime:
    moment = broker_memory.forgotten_until()
    assert moment is not None
    return moment


def note(broker):
    return broker.get(broker_memory.KEY)


def enqueue(count):
    jobs.enqueue_many(jobs=[NewJob(task=TASK, queue=QUEUE)] * count, now=database_now(), by="test")


def let_the_moment_come(broker):
    """Bring what was noted into the past, as a second of waiting would."""
    broker.set(broker_memory.KEY, (noted_moment() - timedelta(seconds=1)).isoformat())


def test_an_empty_broker_is_noted_a_second_ahead_once_and_remembered_until_it_was_made_up_for(broker):
    before = database_now()
    assert broker_memory.forgotten_until() is None
    moment = noted_moment()
    assert before < moment - timedelta(seconds=1) <= database_now()
    assert broker_memory.forgotten_until() == moment
    broker_memory.made_up_for(moment)
    assert broker_memory.forgotten_until() is None
    assert note(broker) == broker_memory.WHOLE.encode()


def test_a_broker_that_forgot_again_meanwhile_is_not_taken_for_whole(broker):
    broker_memory.forgotten_until()
    moment = noted_moment()
    broker.flushdb()
    broker_memory.made_up_for(moment)
    assert note(broker) is None
    broker_memory.forgotten_until()
    broker_memory.made_up_for(moment)
    assert noted_moment() > moment


def test_the_caretaker_rings_for_all_that_the_broker_forgot_and_for_each_once(broker):
    enqueue(40)
    broker.flushdb()
    caretaking.reconcile_step()
    enqueue(2)  # as messages come in again at once, counting would not tell who lost his for long
    assert queue_depths()[QUEUE] == 2
    let_the_moment_come(broker)
    for _ in range(3):
        caretaking.reconcile_step()
    assert queue_depths()[QUEUE] == 42
    assert note(broker) == broker_memory.WHOLE.encode()


def test_a_broker_that_remembers_costs_no_bell(broker):
    broker.set(broker_memory.KEY, broker_memory.WHOLE)
    enqueue(3)
    caretaking.reconcile_step()
    assert queue_depths()[QUEUE] == 3
