"""The queue page in a real browser: it fits, it follows, a trace that somebody reads stays open, and it works without a script."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from apps.jobs.models import Job, Schedule
from apps.resilience import PacedItem
from apps.sources.pacing import pace_of, paced_queue
from tests.integration.jobs.queue_rows import make_job

PAGE = "/desk/queue/"
TRACE = (
    "Traceback (most recent call last):\n"
    + "\n".join(f'  File "apps/x.py", line {n}, in f' for n in range(40))
    + "\nKeyError: 'x'"
)


@pytest.fixture
def busy(day) -> Job:
    """A queue with something of everything; returns its dead letter."""
    now = datetime.now(tz=UTC)
    for number in range(12):
        ended = {"started_at": now - timedelta(seconds=5), "finished_at": now - timedelta(seconds=5 - number / 5)}
        make_job("done", now=now, queue="fetch", next_try_at=now - timedelta(seconds=5.1), **ended)
    make_job(now=now, queue="money", next_try_at=now - timedelta(minutes=2))
    make_job("running", now=now, task="tasks.ingest.books", queue="fetch", kwargs={"source": "polymarket_clob"})
    make_job(
        "running", now=now - timedelta(minutes=3), task="tasks.backup.take", queue="backup", kwargs={"kind": "daily"},
        progress_done=87, progress_total=124, progress_note="dumping markets_quote_2026_11_22",
    )  # fmt: skip
    items = [PacedItem(id=str(n), source="alphavantage", tenant=("", "tnt_01k9aaa")[n % 2], body="{}") for n in range(60)]
    pace = pace_of("alphavantage")
    assert pace is not None
    paced_queue().offer_many(items, pace)
    every = IntervalSchedule.objects.create(every=15, period="seconds")
    nightly = CrontabSchedule.objects.create(minute="30", hour="2", timezone="UTC")
    PeriodicTask.objects.create(name="work orders", task="tasks.trade.work", interval=every)
    PeriodicTask.objects.create(name="daily backup", task="tasks.backup.take", crontab=nightly)
    PeriodicTask.objects.create(name="books of polymarket_clob", task="tasks.ingest.books", interval=every)
    PeriodicTask.objects.update(date_changed=now - timedelta(days=9))
    Schedule.objects.create(name="work orders", last_success_at=now, last_slot_at=now, last_lateness_s=0.042)
    Schedule.objects.create(
        name="books of polymarket_clob", last_success_at=now, last_slot_at=now, last_lateness_s=1.3, grace_s=30
    )
    Schedule.objects.create(
        name="daily backup", last_success_at=now - timedelta(hours=27), last_slot_at=now - timedelta(hours=27)
    )
    make_job(
        "parked", now=now, task="tasks.ingest.odds", queue="fetch", kwargs={"source": "goalserve"}, source="goalserve", attempts=3,
        reason="the worker was lost (worker_fetch@host): its attempts are used up", trace="",
    )  # fmt: skip
    return make_job(
        "parked", now=now, task="tasks.settle.due", queue="money", kwargs={"market": "mkt_01k9"}, attempts=3, schedule="settle",
        reason="KeyError: 'x'", trace=TRACE,
    )  # fmt: skip


def picture(seen, name: str) -> None:
    """Keep a picture for whoever wants to look: QUEUE_PICTURES names a folder."""
    folder = os.environ.get("QUEUE_PICTURES")
    if folder:
        seen.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 400, 768, 1280, 1920])
def test_the_queue_page_fits_every_window_and_nothing_complains(visit, busy, width, scheme):
    seen = visit(width=width, scheme=scheme)
    seen.go(PAGE)
    for words in ("daily backup has not succeeded", "tasks.backup.take", "87 of 124", "alphavantage", "its attempts are used up"):
        assert seen.page.is_visible(f"text={words}"), words
    picture(seen, f"queue-{width}-{scheme}")
    seen.page.click("summary")
    assert seen.overflow() <= 0
    picture(seen, f"queue-{width}-{scheme}-trace")
    assert seen.complaints == []


def test_figures_come_anew_and_a_trace_that_is_read_stays_open(visit, busy):
    seen = visit()
    seen.go(PAGE)
    seen.page.click("summary")
    Job.objects.filter(state="running", progress_total=124).update(progress_done=99)
    seen.page.wait_for_selector("text=99 of 124", timeout=8000)
    assert seen.page.is_visible("pre.trace")
    busy.delete()
    seen.page.wait_for_selector("pre.trace", state="detached", timeout=8000)
    make_job("parked", now=datetime.now(tz=UTC), reason="a new one")
    seen.page.wait_for_selector("text=a new one", timeout=8000)
    assert seen.complaints == []


@pytest.mark.parametrize("width", [1280, 400])
def test_replay_and_discard_work_without_a_script(visit, busy, width):
    seen = visit(width=width, script=False)
    seen.go(PAGE)
    row = seen.page.locator(f"#{busy.id}")
    row.locator("summary").click()
    assert row.locator("pre.trace").is_visible()
    row.get_by_role("button", name="Replay").click()
    assert f"{busy.id}: back in its queue with all its attempts" in seen.page.locator("p.notice[role=status]").all_inner_texts()
    assert Job.objects.get(id=busy.id).state == "queued"
    seen.page.get_by_role("button", name="Discard").click()
    assert seen.page.is_visible("text=No work is parked")
    assert seen.complaints == []


def test_an_empty_queue_fits_too(visit, day):
    seen = visit(width=400)
    seen.go(PAGE)
    assert seen.page.is_visible("text=No work is parked")
    assert seen.overflow() <= 0
    picture(seen, "queue-empty-400")
