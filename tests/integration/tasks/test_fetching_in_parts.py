"""Real workers fetch lists of many pages: between two calls of a slow source nobody holds a worker."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from apps.core import clock
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.markets.models import Market
from apps.sources.models import ErrandPart, FetchLog
from apps.sources.services import ensure_sources
from project.celery import app
from tasks.loops import Loop
from tasks.pacing import move_step
from tests.factories.wires import gamma_market
from tests.integration.sources.upstream import Answer, Question, Upstream
from tests.integration.tasks import worker_world as world

pytestmark = pytest.mark.django_db(transaction=True)
GAMMA, MANIFOLD = "polymarket_gamma", "manifold"
PAGES = 6
PER_MINUTE = 40  # a slot each one and a half seconds, two at once
ADDRESSES = {GAMMA: "POLYMARKET_GAMMA", MANIFOLD: "MANIFOLD", "kalshi": "KALSHI"}


class Slow(Upstream):
    """A list of several pages; kills the child that asks for page `deadly`, once."""

    def __init__(self) -> None:
        super().__init__()
        self.deadly = -1
        self.running: world.RunningWorker | None = None
        self.came_s: list[float] = []
        self.script = self.answer

    def answer(self, question: Question) -> Answer:
        self.came_s.append(time.monotonic())
        if question.path.startswith(f"/{MANIFOLD}/"):
            return Answer(b"[]")
        if ("closed", "true") in question.query or any(name == "condition_ids" for name, _ in question.query):
            return Answer(b'{"markets": []}')
        number = int(dict(question.query).get("after_cursor", "0"))
        if number == self.deadly and self.running is not None:
            self.deadly = -1
            for pid in self.running.children():
                world.kill(pid)
        row = gamma_market(conditionId=f"0x{number:064x}", clobTokenIds=json.dumps([f"{number}1", f"{number}2"]), events=None)
        more = {"next_cursor": str(number + 1)} if number + 1 < PAGES else {}
        return Answer(json.dumps({"markets": [row], **more}).encode())

    def cursors(self) -> list[str]:
        of_lists = [dict(question.query) for question in self.questions if question.path.startswith(f"/{GAMMA}/")]
        return [query.get("after_cursor", "0") for query in of_lists if "condition_ids" not in query]


@pytest.fixture
def slow() -> Iterator[Slow]:
    upstream = Slow()
    yield upstream
    upstream.close()


@pytest.fixture
def running(slow, clean_redis, tmp_path, transactional_db, settings) -> Iterator[world.RunningWorker]:
    """A worker with two children, and a mover."""
    settings.VENDORS = {**settings.VENDORS, GAMMA: {**settings.VENDORS[GAMMA], "rate_per_minute": PER_MINUTE}}
    ensure_sources(now=clock.now(), by="test")
    variables = {f"{name}_BASE_URL": f"{slow.url}/{slug}" for slug, name in ADDRESSES.items()}
    variables["POLYMARKET_GAMMA_RATE_PER_MINUTE"] = str(PER_MINUTE)
    loop = Loop("mover", move_step)
    loop.start()
    with world.worker(tmp_path, concurrency=2, name="fetch", queue="fetch", **variables) as worker:
        slow.running = worker
        yield worker
    loop.stop()


def catalogue(source: str) -> str:
    scope = f"catalogue {source}"
    return jobs.enqueue(
        task="tasks.ingest.catalogue",
        kwargs={"source": source},
        queue="fetch",
        source=source,
        scope=scope,
        now=clock.now(),
        by="t",
    ).job_id


def end_of(job_id: str, timeout_s: float, worker: world.RunningWorker) -> Job:
    world.wait_until(
        lambda: world.job(job_id).state not in ("queued", "running"),
        timeout_s,
        lambda: f"{Job.objects.filter(id=job_id).values()} {worker.text()[-3000:]}",
        while_waiting=world.look_after,
    )
    return world.job(job_id)


def test_a_list_of_many_pages_is_one_job_which_makes_each_call_once_in_its_slot(running, slow):
    job = end_of(catalogue(GAMMA), 60, running)
    assert (job.state, job.attempts, job.postponements, job.reason) == ("done", 1, 0, "")
    assert slow.cursors() == [str(number) for number in range(PAGES)]
    assert (Job.objects.count(), Market.objects.count(), ErrandPart.objects.count()) == (1, PAGES, 0)
    log = FetchLog.objects.get(operation="markets")
    assert (log.outcome, log.calls, log.records) == ("ok", PAGES, PAGES)
    assert len(running.events("job_given_back")) >= PAGES // 2


def test_slow_lists_hold_no_worker_so_a_quick_source_starts_at_once(running, slow):
    """Two slow lists and two children: both would be taken for nine seconds if calls waited in them."""
    slow_jobs = [catalogue(GAMMA)]
    slow_jobs.append(
        jobs.enqueue(
            task="tasks.ingest.catalogue", kwargs={"source": GAMMA}, queue="fetch", source=GAMMA, now=clock.now(), by="t"
        ).job_id
    )
    world.wait_until(lambda: len(slow.cursors()) >= 2, 30, running.text)
    waits_s = []
    for _ in range(8):
        quick = Job.objects.get(id=catalogue(MANIFOLD))
        done = end_of(quick.id, 20, running)
        assert done.started_at is not None
        waits_s.append((done.started_at - quick.made_at).total_seconds())
        time.sleep(0.3)
    assert max(waits_s) < 1.0, waits_s
    assert len(slow.cursors()) < PAGES, "the slow ones are still at it"
    assert {end_of(job_id, 60, running).state for job_id in slow_jobs} == {"done"}


def test_a_list_whose_worker_was_killed_in_the_middle_goes_on_at_its_page(running, slow):
    slow.deadly = 3
    job = end_of(catalogue(GAMMA), 90, running)
    assert (job.state, job.postponements <= 4) == ("done", True)
    assert slow.cursors()[:4] == ["0", "1", "2", "3"]
    assert slow.cursors().count("0") == 1
    assert slow.cursors().count("3") == 2, "the one that killed"
    assert Market.objects.count() == PAGES


def test_a_message_without_a_row_goes_on_too(running, slow):
    app.send_task("tasks.ingest.catalogue", kwargs={"source": GAMMA}, queue="fetch")
    world.wait_until(lambda: Market.objects.count() == PAGES, 60, running.text)
    assert slow.cursors() == [str(number) for number in range(PAGES)]
    assert Job.objects.count() == 0
