"""A bell rings after commit, never before, and a dead broker is survived."""

from __future__ import annotations

import json
import time
from unittest import mock

import pytest
import redis
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from kombu import Connection
from structlog.testing import capture_logs

from apps.core import bell
from apps.core.bell import Bell
from project.celery import app


@pytest.fixture(autouse=True)
def _no_bell_was_lost_just_now(monkeypatch):
    monkeypatch.setattr(bell._silence, "until_s", 0.0)
    yield
    bell._silence.until_s = 0.0


def _messages(url: str, queue: str = "money") -> list[dict]:
    with redis.Redis.from_url(url) as client:
        return [json.loads(message) for message in client.lrange(f"q:{queue}", 0, -1)]


def _waiting(url: str, queue: str = "money") -> list[str]:
    return [message["headers"]["task"] for message in _messages(url, queue)]


def _lost(task: str) -> float:
    return float(bell.BELLS_LOST.labels(task=task)._value.get())


def _away():
    """Put a broker that refuses connections in the place of ours."""
    dead = Connection("redis://127.0.0.1:1/0", transport_options={"socket_connect_timeout": 0.2})
    return mock.patch.multiple(app, connection_for_write=lambda *_, **__: dead), mock.patch.object(
        app.amqp, "_producer_pool", None
    )


@pytest.mark.django_db(transaction=True)
def test_a_bell_rings_only_after_the_commit(clean_redis):
    with transaction.atomic():
        bell.ring("tasks.settle.due")
        assert _waiting(clean_redis) == []
    assert _waiting(clean_redis) == ["tasks.settle.due"]


@pytest.mark.django_db(transaction=True)
def test_a_rollback_rings_nothing(clean_redis):
    with transaction.atomic():
        bell.ring("tasks.settle.due")
        bell.ring_job(job_id="job_1", task="tasks.settle.due", queue="money")
        transaction.set_rollback(True)
    assert _waiting(clean_redis) == []


@pytest.mark.django_db(transaction=True)
def test_the_bell_of_a_job_names_its_row_in_a_header_and_carries_nothing_else(clean_redis):
    bell.ring_job(job_id="job_1", task="tasks.settle.due", queue="money")
    (message,) = _messages(clean_redis)
    assert (message["headers"]["task"], message["headers"]["job"], message["headers"]["expires"]) == (
        "tasks.settle.due",
        "job_1",
        None,
    )
    assert message["headers"]["kwargsrepr"] == "{}"


@pytest.mark.django_db(transaction=True)
def test_the_bell_of_a_batch_names_no_row(clean_redis):
    bell.ring_batch(task="tasks.settle.due", queue="money")
    (message,) = _messages(clean_redis)
    assert "job" not in message["headers"]


@pytest.mark.django_db(transaction=True)
def test_a_bell_goes_into_the_queue_that_it_names(clean_redis):
    bell.ring_job(job_id="job_1", task="tasks.settle.due", queue="upkeep")
    assert (_waiting(clean_redis, "upkeep"), _waiting(clean_redis)) == (["tasks.settle.due"], [])


@pytest.mark.django_db(transaction=True)
def test_many_bells_ring_in_their_order(clean_redis):
    bell.ring_all([Bell(task="tasks.settle.due", queue="money", job_id=f"job_{number}") for number in range(50)])
    assert [message["headers"]["job"] for message in reversed(_messages(clean_redis))] == [
        f"job_{number}" for number in range(50)
    ]


@pytest.mark.django_db(transaction=True)
def test_no_bells_are_no_message(clean_redis):
    bell.ring_all([])
    assert _waiting(clean_redis) == []


@pytest.mark.django_db(transaction=True)
def test_a_dead_broker_is_counted_and_survived():
    before = _lost("tasks.settle.due")
    connection, pool = _away()
    with connection, pool:
        bell.ring("tasks.settle.due")
    assert _lost("tasks.settle.due") == before + 1


@pytest.mark.django_db(transaction=True)
def test_a_dead_broker_costs_one_time_out_and_not_one_for_every_bell():
    before = _lost("tasks.settle.due"), _lost("tasks.trade.work")
    connection, pool = _away()
    started = time.monotonic()
    with connection, pool:
        bell.ring_all([Bell(task="tasks.settle.due", queue="money", job_id=f"job_{number}") for number in range(500)])
        for _ in range(20):
            bell.ring("tasks.trade.work")
    assert (_lost("tasks.settle.due"), _lost("tasks.trade.work")) == (before[0] + 500, before[1] + 20)
    assert time.monotonic() - started < 5


@pytest.mark.django_db(transaction=True)
def test_bells_ring_again_once_the_quiet_second_is_over(clean_redis, monkeypatch):
    connection, pool = _away()
    with connection, pool:
        bell.ring("tasks.settle.due")
    bell.ring("tasks.settle.due")
    assert _waiting(clean_redis) == []
    monkeypatch.setattr(bell._silence, "until_s", time.monotonic())
    bell.ring("tasks.settle.due")
    assert _waiting(clean_redis) == ["tasks.settle.due"]


def _told(logs: list, event: str) -> list:
    return [line for line in logs if line["event"] == event]


@pytest.mark.django_db(transaction=True)
def test_a_bell_that_cannot_be_sent_is_counted_and_told_once_and_the_others_ring(clean_redis):
    before = _lost("tasks.settle.due")
    queues = ["money", "misspelt", "money", "renamed", "money"]
    bells = [Bell(task="tasks.settle.due", queue=queue, job_id=f"job_{number}") for number, queue in enumerate(queues)]
    with capture_logs() as logs:
        with transaction.atomic():
            bell.ring_all(bells)
        bell.ring("tasks.trade.work")
    assert [message["headers"].get("job") for message in reversed(_messages(clean_redis))] == ["job_0", "job_2", "job_4", None]
    assert _lost("tasks.settle.due") == before + 2
    assert [(line["queue"], line["job"]) for line in _told(logs, "bell_refused")] == [("misspelt", "job_1")]


@pytest.mark.django_db(transaction=True)
def test_arguments_that_are_no_json_are_a_lost_bell_and_no_error_of_the_caller(clean_redis):
    before = _lost("tasks.settle.due")
    bell.ring("tasks.settle.due", what=object())
    bell.ring("tasks.settle.due")
    assert _waiting(clean_redis) == ["tasks.settle.due"]
    assert _lost("tasks.settle.due") == before + 1


@pytest.mark.django_db(transaction=True)
def test_a_broker_client_that_breaks_is_no_error_of_the_caller(monkeypatch):
    before = _lost("tasks.settle.due")

    def broken(*_, **__):
        raise RuntimeError("a pool that is exhausted")

    monkeypatch.setattr(app, "producer_or_acquire", broken)
    with capture_logs() as logs:
        bell.ring_all([Bell(task="tasks.settle.due", queue="money")] * 3)
    assert _lost("tasks.settle.due") == before + 3
    assert [line["bells"] for line in _told(logs, "bells_not_sent")] == [3]


@pytest.mark.django_db(transaction=True)
def test_a_time_limit_that_strikes_while_bells_ring_is_heard_and_the_rest_is_counted(clean_redis, monkeypatch):
    before = _lost("tasks.settle.due")

    def strike(*_, **__):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(app, "send_task", strike)
    with pytest.raises(SoftTimeLimitExceeded):
        bell.ring_all([Bell(task="tasks.settle.due", queue="money")] * 2)
    assert _lost("tasks.settle.due") == before + 2
