"""A bell rings after commit, never before, and a dead broker is survived."""

from __future__ import annotations

import json
from unittest import mock

import pytest
import redis
from django.db import transaction
from kombu import Connection

from apps.core import bell
from project.celery import app


def _waiting(url: str, queue: str = "money") -> list[str]:
    with redis.Redis.from_url(url) as client:
        return [json.loads(message)["headers"]["task"] for message in client.lrange(f"q:{queue}", 0, -1)]


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
        transaction.set_rollback(True)
    assert _waiting(clean_redis) == []


@pytest.mark.django_db(transaction=True)
def test_a_dead_broker_is_counted_and_survived():
    before = bell.BELLS_LOST.labels(task="tasks.settle.due")._value.get()
    dead = Connection("redis://127.0.0.1:1/0", transport_options={"socket_connect_timeout": 0.2})
    with mock.patch.object(app, "connection_for_write", return_value=dead), mock.patch.object(app.amqp, "_producer_pool", None):
        bell.ring("tasks.settle.due")
    assert bell.BELLS_LOST.labels(task="tasks.settle.due")._value.get() == before + 1
