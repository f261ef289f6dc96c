"""Messages that nobody of us sent, put into the real broker: dropped, counted by reason, and the worker goes on."""

from __future__ import annotations

import base64
import json
import pickle
from collections import Counter

import pytest
import redis
from django.conf import settings

from tests.integration.tasks import worker_world as world
from tests.unit.tasks.envelope_world import envelope, raw

pytestmark = pytest.mark.django_db(transaction=True)
KEY = f"q:{world.QUEUE}"


def fit(task="clockwork.mark", **changes):
    return raw(task, **{"kwargs": {"name": "forged"}, **changes})


def forged(job_id):
    """Return each forged message with the reason for which it is dropped."""
    body = base64.b64encode(pickle.dumps([1])).decode()
    return [
        (b"\xff\xfe garbage", "not-json"),
        (b'{"half": ', "not-json"),
        (fit(**{"content-type": "application/x-python-serialize", "body": body}), "content-type"),
        (fit("clockwork.no_such_task"), "unknown-task"),
        (fit("celery.chord_unlock", kwargs={}), "unknown-task"),
        (b'{"body": "' + b"x" * 50_000_000 + b'"}', "too-big"),
        (b"[" * 10_000 + b"]" * 10_000, "too-deep"),
        (fit(body=base64.b64encode(b"[" * 10_000).decode()), "too-deep"),
        (fit(headers={"eta": "-1"}), "eta"),
        (fit(headers={"eta": "9999-12-31T23:59:59+00:00"}), "eta"),
        (fit(headers={"timelimit": [10**9, 10**9]}), "time-limit"),
        (fit(kwargs={"name": 5}), "arguments"),
        (fit(args=[1, 2]), "arguments"),
        (fit(body=base64.b64encode(json.dumps(["a", 5, {}]).encode()).decode()), "arguments"),
        (fit(embedded={"callbacks": [{"task": "clockwork.break_down"}]}), "canvas"),
        (fit(properties={"delivery_tag": None}), "bad-shape"),
        (fit(headers={"called_directly": True}), "bad-shape"),
        (fit(kwargs={"name": "forged", "tenant": "tnt_2"}), "forged"),
        (fit(headers={"job": job_id}), "forged"),  # the job, but with arguments of its own
        (fit("clockwork.mark_atomic", headers={"job": job_id}, kwargs={}), "forged"),  # the job of another task
        (fit(headers={"job": "job_that_never_was"}, kwargs={}), "forged"),
    ]


def test_forged_messages_are_dropped_and_counted_and_the_queue_goes_on(clean_redis, tmp_path, transactional_db):
    world.prepare()
    job_id = world.enqueue("clockwork.mark", name="good")
    with redis.Redis.from_url(settings.BROKER_REDIS_URL) as broker:
        broker.delete(KEY)  # its bell is lost: only forged messages name it now
        messages = forged(job_id)
        for message, _ in messages:
            broker.lpush(KEY, message)
        with world.worker(tmp_path) as worker:
            pid = worker.pid
            world.wait_until(lambda: len(worker.events("message_dropped")) >= len(messages), 60, worker.text)
            assert world.states() == {"queued": 1}
            world.wait_for_end(tell=worker.text)
            dropped = Counter(said["reason"] for said in worker.events("message_dropped"))
            assert dropped == Counter(reason for _, reason in messages)
            assert world.states() == {"done": 1}
            assert [(name, note) for name, note, _ in world.marks()] == [("good", "single")]
            assert worker.process.poll() is None
            assert worker.pid == pid
            assert broker.hlen("q:unacked") == 0
        assert "Traceback" not in worker.text()


def test_forged_broadcasts_do_not_stop_a_worker(clean_redis, tmp_path, transactional_db):
    world.prepare()
    with redis.Redis.from_url(settings.BROKER_REDIS_URL) as broker, world.worker(tmp_path) as worker:
        channel = f"q:/{settings.BROKER_REDIS_URL.rpartition('/')[2]}.celery.pidbox"
        for message in (b"garbage", b"[" * 10_000, b"{}", b'{"body": "x", "properties": {}}', pickle.dumps([1])):
            assert broker.publish(channel, message) == 1
        world.wait_until(lambda: len(worker.events("message_dropped")) >= 5, 30, worker.text)
        job_id = world.enqueue("clockwork.mark", name="after")
        world.wait_for_end(tell=worker.text)
        assert world.job(job_id).state == "done"
        assert "Traceback" not in worker.text()


def test_forged_entries_among_the_unanswered_are_dropped_once_and_what_lies_behind_them_is_put_back(
    clean_redis, tmp_path, transactional_db
):
    world.prepare()
    job_id = world.enqueue("clockwork.mark", name="good")
    good = envelope("clockwork.mark", kwargs={}, headers={"job": job_id}, properties={"delivery_tag": "good"})
    forged = {"deep": b"[" * 200_000, "bytes": b"\xff\xfe", "short": b"[1, 2]", "empty": b""}
    with redis.Redis.from_url(settings.BROKER_REDIS_URL) as broker:
        broker.delete(KEY)  # its bell is lost but for the copy that a dead worker left
        broker.hset("q:unacked", mapping={**forged, "good": json.dumps([good, "", world.QUEUE])})
        broker.zadd("q:unacked_index", dict.fromkeys(forged, 2) | {"good": 1, "gone": 3})  # the newest go first
        with world.worker(tmp_path) as worker:
            world.wait_for_end(tell=worker.text)
            world.wait_until(lambda: broker.hlen("q:unacked") == 0, 30, worker.text)
            assert broker.zcard("q:unacked_index") == 0
            told = [(said["queue"], said["reason"]) for said in worker.events("message_dropped")]
            assert sorted(told) == [("unacked", reason) for reason in ("bad-shape", "not-json", "not-json", "too-deep")]
            assert world.job(job_id).state == "done"
        assert "Traceback" not in worker.text()
