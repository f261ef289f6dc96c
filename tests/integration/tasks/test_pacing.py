"""What waits for slots, message by message: who is held back, what is published, and what comes of faults."""

from __future__ import annotations

import base64
import inspect
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as desk
from kombu.exceptions import OperationalError

from apps.core import clock
from apps.core.bell import Bell, ring_all
from apps.core.errors import Invalid
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.resilience import Pace, PacedLine, PacedQueue, PaceExceeded, RedisPaced, paced
from apps.sources import selectors
from apps.sources.errors import VendorAway
from apps.sources.pacing import pace_of, paced_queue
from project.celery import app
from tasks import pacing
from tasks.ingest import candles
from tasks.pacing import Mover, allowance, hold_back, send_many
from tasks.queues import PACED
from tests.integration.tasks.paced_world import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_redis")]
BOOKS, REDDIT = "tasks.ingest.books", "reddit"  # sixty calls a minute, one at a time
SLOW = Pace.per_minute(5)


def messages(queue: str = "fetch") -> list[dict[str, Any]]:
    """Return the messages in a queue of the broker, the oldest first."""
    with redis.Redis.from_url(desk.BROKER_REDIS_URL) as broker:
        raws: Any = broker.lrange(f"q:{queue}", 0, -1)
        return [json.loads(raw) for raw in reversed(raws)]


def waiting(source: str = REDDIT) -> int:
    return selectors.count_waiting().get(source, 0)


def move(until: int, queue: str = "fetch") -> None:
    """Let a mover step until so many messages are in the queue."""
    mover = Mover()

    def has_come() -> bool:
        mover.step()
        return len(messages(queue)) >= until

    wait_until(has_come, 30)


def test_every_paced_task_is_a_task_of_the_desk_that_names_its_source():
    app.loader.import_default_modules()
    assert set(app.tasks) >= PACED
    assert {name for name in PACED if "source" in inspect.signature(app.tasks[name].run).parameters} == PACED


def test_the_first_goes_at_once_with_its_slot_and_the_next_waits_and_comes_in_its_turn():
    app.send_task(BOOKS, kwargs={"source": REDDIT})
    app.send_task(BOOKS, kwargs={"source": REDDIT, "outcome": "second"})
    first = messages()
    assert [message["headers"]["slot"]["source"] for message in first] == [REDDIT]
    assert waiting() == 1
    move(until=2)
    second = messages()[1]
    gap_us = second["headers"]["slot"]["at_us"] - first[0]["headers"]["slot"]["at_us"]
    assert gap_us >= pace_of(REDDIT).interval_us  # type: ignore[union-attr]
    assert isinstance(second["headers"]["sent_at_s"], float)
    assert waiting() == 0
    assert paced_queue().due().next_s is None or paced_queue().pop(REDDIT).popped == ()


def test_what_is_rung_for_again_while_it_waits_waits_once():
    for _ in range(5):
        app.send_task(BOOKS, kwargs={"source": REDDIT})
    assert (len(messages()), waiting()) == (1, 1)


def test_messages_of_jobs_wait_once_a_job_under_their_source_and_tenant_and_by_priority():
    of: dict[str, Any] = {"task": BOOKS, "queue": "fetch", "source": REDDIT}
    places = [("", 0), ("acme", 0), ("", 200), ("", 900)]
    enqueued = [jobs.enqueue(kwargs={}, tenant=who, priority=n, now=clock.now(), by="test", **of) for who, n in places]
    first, second, third, fourth = (job.job_id for job in enqueued)
    ring_all([Bell(job_id=second, tenant="acme", **of)])
    assert [message["headers"]["job"] for message in messages()] == [first]
    assert {(line.tenant, line.count) for line in selectors.list_waiting()} == {("", 2), ("acme", 1)}
    move(until=4)
    came = messages()
    assert sorted(message["headers"]["job"] for message in came) == sorted([first, second, third, fourth])
    of_desk = [message["headers"]["job"] for message in came if message["headers"]["job"] in (third, fourth)]
    assert of_desk == [fourth, third]
    assert not {"source", "tenant", "priority"} & came[-1]["headers"].keys()


def test_a_message_without_a_known_source_or_with_a_moment_of_its_own_is_left_alone():
    for kwargs, options in (({}, {}), ({"source": "nobody"}, {}), ({"source": REDDIT}, {"countdown": 3})):
        for _ in range(3):
            assert not hold_back(BOOKS, kwargs, {**options, "headers": {}})
    assert selectors.list_waiting() == []


def test_a_task_that_is_not_paced_never_waits():
    for _ in range(3):
        app.send_task("tasks.ingest.roll", kwargs={"source": REDDIT})
    assert len(messages()) == 3


def test_a_message_that_has_expired_while_it_waited_is_not_published():
    app.send_task(BOOKS, kwargs={"source": REDDIT})
    app.send_task(BOOKS, kwargs={"source": REDDIT, "n": "late"}, expires=0.01)
    app.send_task(BOOKS, kwargs={"source": REDDIT, "n": "kept"}, expires=datetime.now(UTC) + timedelta(seconds=90))
    move(until=2)
    assert (len(messages()), waiting()) == (2, 0)
    assert datetime.fromisoformat(messages()[1]["headers"]["expires"]) > datetime.now(UTC)


def test_a_message_too_big_to_wait_is_refused_and_nothing_waits():
    with pytest.raises(Invalid, match="cannot wait"):
        hold_back(BOOKS, {"source": REDDIT, "outcome": "x" * 70_000}, {})
    assert selectors.list_waiting() == []


def test_without_redis_nothing_is_let_through_and_the_bell_counts_as_lost(monkeypatch):
    monkeypatch.setattr(pacing, "paced_queue", lambda: PacedQueue(RedisPaced("redis://127.0.0.1:1/0")))
    with pytest.raises(OperationalError):
        app.send_task(BOOKS, kwargs={"source": REDDIT})
    with pytest.raises(OperationalError):
        send_many(BOOKS, [{"source": REDDIT}], source=REDDIT)
    assert messages() == []


def test_many_are_sent_with_one_call_and_what_waits_already_is_not_sent_again():
    each = [{"source": REDDIT, "outcome": str(number)} for number in range(1_200)]
    assert send_many(BOOKS, each, source=REDDIT) == 1
    assert send_many(BOOKS, each[1:], source=REDDIT) == 0
    assert (len(messages()), waiting()) == (1, 1_199)
    with pytest.raises(Invalid, match="no source"):
        send_many(BOOKS, each, source="nobody")


def test_the_candles_of_a_source_become_one_job_a_symbol_which_waits_once():
    for _ in range(2):
        candles(source="alphavantage", symbols="IBM AAPL MSFT NVDA")
    rows = {row.kwargs["symbol"]: row for row in Job.objects.all()}
    assert sorted(rows) == ["AAPL", "IBM", "MSFT", "NVDA"]
    assert {(row.task, row.source) for row in rows.values()} == {("tasks.ingest.candles_of", "alphavantage")}
    assert [message["headers"]["job"] for message in messages()] == [rows["IBM"].id]
    assert selectors.list_waiting() == [PacedLine("alphavantage", "", 3)]
    Job.objects.filter(id=rows["AAPL"].id).update(state="done")
    candles(source="alphavantage", symbols="IBM AAPL MSFT NVDA")
    assert sorted(row.kwargs["symbol"] for row in Job.objects.all()) == ["AAPL", "AAPL", "IBM", "MSFT", "NVDA"]


def pacing_body(message: dict[str, Any]) -> bytes:
    return base64.b64decode(message["body"])


def test_what_a_mover_took_and_could_not_publish_comes_again_with_a_new_slot(monkeypatch):
    monkeypatch.setattr(paced, "LEASE_S", 1.5)
    app.send_task(BOOKS, kwargs={"source": REDDIT})
    app.send_task(BOOKS, kwargs={"source": REDDIT, "outcome": "second"})
    taken: list[Any] = []

    def is_taken() -> bool:
        taken.extend(paced_queue().pop(REDDIT).popped)
        return bool(taken)

    wait_until(is_taken, 10)
    assert (len(messages()), waiting()) == (1, 0)
    move(until=2)
    again = messages()[1]["headers"]["slot"]["at_us"]
    assert again >= taken[0].slot.at_us + 1_500_000


def test_any_number_of_movers_publish_each_message_once():
    send_many(BOOKS, [{"source": REDDIT, "n": str(number)} for number in range(40)], source=REDDIT, pace=Pace.per_minute(6_000))
    movers = [Mover() for _ in range(4)]

    def all_came() -> bool:
        for mover in movers:
            mover.step()
        return len(messages()) >= 40

    wait_until(all_came, 30)
    bodies = [pacing_body(message) for message in messages()]
    assert len(bodies) == len(set(bodies)) == 40


def test_while_workers_are_behind_no_slots_are_spent():
    quick = Pace.per_minute(60_000, burst=1)
    send_many(BOOKS, [{"source": REDDIT, "n": str(number)} for number in range(400)], source=REDDIT, pace=quick)
    mover = Mover()
    wait_until(lambda: mover.step() == pacing.JAM_WAIT_S, 30)
    jammed = len(messages())
    assert pacing.JAM_DEPTH < jammed <= pacing.JAM_DEPTH + pacing.BATCH
    time.sleep(0.2)
    assert mover.step() == pacing.JAM_WAIT_S
    assert (len(messages()), waiting()) == (jammed, 400 - jammed)


class Message:
    """The request of a running task, as far as an allowance asks for it."""

    task = BOOKS

    def __init__(self, kwargs: dict[str, Any], **headers: Any) -> None:
        self.kwargs, self.headers = kwargs, headers

    def get(self, name: str) -> Any:
        return self.headers.get(name)


def test_a_message_whose_slot_turned_out_worthless_waits_for_another_instead_of_holding_its_worker():
    offer = paced_queue().offer(paced.PacedItem(id="a", source=REDDIT, body=""), SLOW)
    assert offer.slot is not None
    for error in (PaceExceeded(), VendorAway()):
        error.__cause__ = PaceExceeded()
        with allowance(Message({"source": REDDIT}, slot=offer.slot.as_header())):
            raise error
    assert waiting() == 1


def test_a_message_waits_again_ten_times_at_most_and_a_job_is_put_off_by_its_row():
    slot = {"source": REDDIT, "at_us": 1, "interval_us": 1, "slowdowns": 0}
    for headers in ({"slot": slot, "again": 10}, {"slot": slot, "job": "job_1"}, {"job": "job_1"}):
        with pytest.raises(PaceExceeded), allowance(Message({"source": REDDIT}, **headers)):
            raise PaceExceeded
    with pytest.raises(VendorAway), allowance(Message({"source": REDDIT}, slot=slot)):
        raise VendorAway
    assert selectors.list_waiting() == []
