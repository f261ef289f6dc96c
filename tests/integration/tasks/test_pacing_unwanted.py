"""No slot for what nobody wants: a real mover, the Lua on a clock set by hand, and the rows of jobs in PostgreSQL."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.conf import settings as desk
from django.db import DatabaseError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core import clock
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.jobs.types import ClaimedJob
from apps.resilience import Pace, PacedItem, PacedQueue
from apps.sources.pacing import paced_queue
from tasks import pacing
from tasks.pacing import UNWANTED, Mover
from tasks.transport import DROPPED
from tests.integration.jobs.schedule_world import definitions, every, look
from tests.integration.resilience.paced_by_hand import START_US, ByHandRedis
from tests.integration.tasks.paced_world import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_redis")]
BOOKS, REDDIT = "tasks.ingest.books", "reddit"
STEP_S = 5


class Hours:
    """A desk whose time is set by hand: its beat, its mover, and one worker that takes every message at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, per_minute: int) -> None:
        self.redis = ByHandRedis(desk.KIT_REDIS_URL)
        self.redis.present_us = START_US
        self.queue = PacedQueue(self.redis)
        monkeypatch.setattr(pacing, "paced_queue", lambda: self.queue)
        self.pace = Pace.per_minute(per_minute)
        monkeypatch.setattr(pacing, "pace_of", lambda _: self.pace)
        self.definitions = definitions()
        self.mover, self.live, self.refused = Mover(), Counter[str](), Counter[str]()

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.redis.present_us / 1_000_000, tz=UTC)

    def work(self) -> None:
        """Take what was published, as a worker would."""
        for message in taken():
            given = jobs.claim(job_id=message["headers"]["job"], task=BOOKS, owner="worker", now=self.now)
            if isinstance(given, ClaimedJob):
                self.live[given.schedule] += 1
                jobs.finish(claim=given, now=self.now)
            else:
                self.refused[given] += 1

    def step(self, *, is_up: bool = True) -> None:
        """Let five seconds pass. While the desk is not up, nobody moves and nobody works."""
        look(self.now, self.definitions)
        if is_up:
            while self.mover.step() == 0.0:
                self.work()
            self.work()
        self.redis.present_us += STEP_S * 1_000_000

    def run(self, seconds: float, *, is_up: bool = True) -> None:
        for _ in range(int(seconds / STEP_S)):
            self.step(is_up=is_up)


def taken() -> list[dict[str, Any]]:
    """Take all messages out of the broker's queue, the oldest first."""
    with redis.Redis.from_url(desk.BROKER_REDIS_URL) as broker:
        raws: Any = broker.rpop("q:fetch", 1_000) or []
    return [json.loads(raw) for raw in raws]


def tick(name: str, every_s: float) -> None:
    made = datetime.fromtimestamp(START_US / 1_000_000, tz=UTC)
    every(name, every_s, known_since=made, task=BOOKS, kwargs={"source": REDDIT, "outcome": name})


def enqueue() -> str:
    return jobs.enqueue(task=BOOKS, queue="fetch", source=REDDIT, kwargs={}, now=clock.now(), by="test").job_id


def offer(*bodies: str) -> None:
    """Let texts wait as if they were messages, for the slots of an empty store; from the next second on a hundred come each second."""
    with redis.Redis.from_url(desk.KIT_REDIS_URL) as kit:
        kit.flushdb()
    items = [PacedItem(id=f"text {number}", source=REDDIT, body=body) for number, body in enumerate(bodies)]
    assert paced_queue().offer(PacedItem(id="first", source=REDDIT, body=""), Pace.per_minute(60, burst=1)).goes_now
    assert not any(offer.goes_now for offer in paced_queue().offer_many(items, Pace.per_minute(60, burst=1)))
    paced_queue().offer(items[0], Pace.per_minute(6_000, burst=1))  # it waits already: this says the pace alone


def move_all() -> list[dict[str, Any]]:
    """Let a mover step until nothing waits, and return what it published."""
    mover, found = Mover(), list[dict[str, Any]]()

    def is_done() -> bool:
        mover.step()
        found.extend(taken())
        return not paced_queue().waiting()

    wait_until(is_done, 30)
    return found


def dropped(reason: str) -> float:
    return float(DROPPED.labels(reason=reason)._value.get())


def test_with_ticks_faster_than_slots_every_slot_of_an_hour_reaches_a_live_job(monkeypatch):
    tick("tick", 15)
    hours = Hours(monkeypatch, 3)
    hours.run(3600)
    assert hours.refused == {}
    assert 178 <= hours.live["tick"] <= 180 + Pace.per_minute(3).burst
    assert Job.objects.filter(state="skipped").count() == 240 - hours.live["tick"] - Job.objects.filter(state="queued").count()


def test_schedules_of_one_source_share_its_slots_whatever_their_rhythm(monkeypatch):
    for name, every_s in (("often", 5), ("b", 15), ("c", 15), ("d", 60)):
        tick(name, every_s)
    hours = Hours(monkeypatch, 3)
    hours.run(600)
    assert hours.refused == {}
    assert 28 <= hours.live.total() <= 30 + Pace.per_minute(3).burst
    # One that ticks each five seconds would stand at the end of the line each time, and come last.
    assert min(hours.live[name] for name in ("often", "b", "c")) >= 6
    assert hours.live["d"] >= 4


def test_after_an_outage_the_first_live_job_comes_at_once(monkeypatch):
    tick("tick", 15)
    hours = Hours(monkeypatch, 1)
    hours.run(3600, is_up=False)
    hours.pace = Pace.per_minute(20)
    taken()  # what went at once, before the rest had to wait
    assert Job.objects.filter(state="queued").count() == 1
    assert sum(line.count for line in hours.queue.waiting()) > 230
    hours.step()
    assert (hours.live, hours.refused) == ({"tick": 1}, {})
    assert hours.queue.waiting() == []


def test_the_message_of_a_job_that_was_discarded_takes_no_slot_and_is_counted():
    enqueue()
    gone, wanted = enqueue(), enqueue()
    Job.objects.filter(id=gone).update(state="discarded")
    taken()
    before = UNWANTED.labels(source=REDDIT)._value.get()
    slots = [message["headers"]["job"] for message in move_all()]
    assert slots == [wanted]
    assert UNWANTED.labels(source=REDDIT)._value.get() - before == 1


def test_while_the_rows_cannot_be_asked_no_slot_is_taken(monkeypatch):
    enqueue()
    wanted = enqueue()
    taken()
    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", lambda: (_ for _ in ()).throw(DatabaseError("away")))
        mover = Mover()
        mover._pushed_s = clock.monotonic_s()

        def is_due() -> bool:
            return bool(paced_queue().due().sources)

        wait_until(is_due, 10)
        with pytest.raises(DatabaseError):
            mover.step()
    assert (taken(), sum(line.count for line in paced_queue().waiting())) == ([], 1)
    assert [message["headers"]["job"] for message in move_all()] == [wanted]


GOOD = [json.dumps({"task": BOOKS, "id": f"good {n}", "kwargs": {"source": REDDIT, "outcome": f"{n}"}}) for n in range(20)]


def test_one_bad_text_among_good_messages_is_dropped_and_counted_and_the_good_ones_go_on():
    bad = json.dumps({"task": BOOKS, "id": "bad", "kwargs": {"source": REDDIT}, "queue": "nonsense"})
    before = dropped("bad-shape")
    offer(*GOOD[:7], bad, *GOOD[7:])
    came = move_all()
    assert sorted(message["headers"]["id"] for message in came) == sorted(f"good {n}" for n in range(20))
    assert dropped("bad-shape") - before == 1
    assert paced_queue().pop(REDDIT).reclaimed == 0


def test_a_bad_text_that_came_between_the_look_and_the_slot_holds_up_no_other():
    offer("no message", GOOD[0])
    before = dropped("not-json")
    popped: list[Any] = []

    def have_come() -> bool:
        popped.append(paced_queue().pop(REDDIT))
        return sum(len(popping.popped) for popping in popped) == 2

    wait_until(have_come, 10)
    mover = Mover()
    for popping in popped:
        if popping.popped:
            mover._carry(REDDIT, popping)
    assert [message["headers"]["id"] for message in taken()] == ["good 0"]
    assert dropped("not-json") - before == 1
    assert paced_queue().landed(REDDIT, ["text 0", "text 1"]) == 0


texts = st.text(max_size=60).filter(lambda text: text.isprintable()) | st.dictionaries(
    st.sampled_from(["task", "id", "kwargs", "queue", "headers", "expires_at_s", "more"]),
    st.none() | st.integers() | st.text(max_size=9) | st.lists(st.none(), max_size=2) | st.just({}) | st.just(BOOKS),
).map(json.dumps)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.lists(texts, min_size=1, max_size=6), place=st.integers(0, 3))
def test_whatever_waits_beside_them_three_good_messages_come(garbage, place):
    before = sum(dropped(reason) for reason in ("not-json", "bad-shape", "unknown-task", "arguments", "eta", "forged"))
    offer(*GOOD[:place], *garbage, *GOOD[place:3])
    came = [message["headers"]["id"] for message in move_all()]
    assert {f"good {n}" for n in range(3)} <= set(came)
    after = sum(dropped(reason) for reason in ("not-json", "bad-shape", "unknown-task", "arguments", "eta", "forged"))
    assert len(came) + after - before == 3 + len(garbage)


def test_bytes_that_are_no_text_and_places_without_an_item_hold_up_no_other():
    offer(*GOOD[:3])
    tag = f"kit:{{{REDDIT}}}:paced"
    with redis.Redis.from_url(desk.KIT_REDIS_URL) as kit:
        assert kit.hset(f"{tag}:items", "text 0", b"\xff\xfe{") == 0
        kit.zadd(f"{tag}:line:", {b"no item \xff": 0})
        kit.zadd(f"{tag}:flying", {"no seat": 0})
    before = dropped("not-json")
    assert sorted(message["headers"]["id"] for message in move_all()) == ["good 1", "good 2"]
    assert dropped("not-json") - before == 2
