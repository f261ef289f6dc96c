"""The page of the queue: what waits, runs, is parked and comes next; and its two buttons, audited and for those who may."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_redis import get_redis_connection

from apps.accounts.models import User
from apps.audit.models import Event
from apps.jobs.models import Job, Schedule
from apps.resilience import PacedItem
from apps.sources.pacing import pace_of, paced_queue
from tests.integration.jobs.queue_rows import make_job

pytestmark = pytest.mark.django_db
PAGE, PARTS = "/desk/queue/", "/desk/queue/parts/"
TRACE = "Traceback (most recent call last): <script>alert(1)</script>"


@pytest.fixture
def now() -> datetime:
    return datetime.now(tz=UTC)


@pytest.fixture
def may_act(staff: Client) -> Client:
    """A member of staff who may change jobs."""
    User.objects.get(username="olga").user_permissions.add(Permission.objects.get(codename="change_job"))
    return staff


@pytest.fixture
def letter(now) -> Job:
    return make_job(
        "parked", now=now, task="tasks.settle.due", queue="money", kwargs={"market": "mkt_<b>1"}, attempts=3,
        reason="KeyError: 'x'", trace=TRACE,
    )  # fmt: skip


def said(client: Client, path: str = PAGE) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def deeds() -> list[tuple[str, str, str]]:
    found = Event.objects.filter(action__startswith="dead_letter.").order_by("id")
    return list(found.values_list("action", "subject", "actor"))


def test_an_empty_queue_says_why_each_panel_is_empty_and_what_fills_it(clean_redis, staff):
    page = said(staff)
    for words in ("Nobody works on anything", "No work waits for a source", "No work is parked", "Nothing is scheduled"):
        assert words in page, words
    assert [f">{name}<" in page for name in ("fetch", "forecast", "money", "backup", "upkeep")] == [True] * 5


def test_queues_show_rows_messages_waits_and_what_was_done(clean_redis, staff, now):
    get_redis_connection("strict").rpush("q:fetch", "a", "b")
    for _ in range(3):
        make_job(now=now, queue="fetch", next_try_at=now - timedelta(minutes=3))
    make_job(now=now, queue="fetch", next_try_at=now + timedelta(hours=1))
    ended = {"next_try_at": now - timedelta(seconds=8), "started_at": now - timedelta(seconds=6), "finished_at": now}
    make_job("done", now=now, queue="fetch", **ended)
    page = said(staff)
    row = page[page.index('id="queue-fetch"') :]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row[: row.index("</tr>")])
    assert cells.pop(3).startswith("3 m")
    assert cells == ["3", "1", "2", "0", "1", "2.0 s", "2.0 s", "6.0 s", "6.0 s"]
    assert "dot bad" in row[: row.index(">fetch<")]


def test_running_work_shows_percent_counts_and_note(clean_redis, staff, now):
    make_job(
        "running", now=now, task="tasks.backup.take", queue="backup", kwargs={"kind": "daily"}, progress_done=30, progress_total=40,
        progress_note="dumping markets_quote",
    )  # fmt: skip
    page = said(staff)
    for words in ("tasks.backup.take", "kind daily", '<progress value="75" max="100"', "30 of 40, dumping markets_quote"):
        assert words in page, words


def test_what_waits_for_a_pace_is_shown_by_source_and_tenant(clean_redis, staff):
    pace = pace_of("alphavantage")
    assert pace is not None
    items = [PacedItem(id=str(n), source="alphavantage", tenant=f"tnt_{n % 2}", body="{}") for n in range(40)]
    paced_queue().offer_many(items, pace)
    waiting = sum(line.count for line in paced_queue().waiting())
    page = said(staff)
    assert 0 < waiting < 41
    assert f'<a href="/desk/sources/#alphavantage">alphavantage</a></th><td class="n">{waiting}</td>' in page
    assert "tnt_0 " in page
    assert "tnt_1 " in page


def test_schedules_show_success_lateness_next_runs_and_the_overdue_first_of_all(clean_redis, staff, now):
    every = IntervalSchedule.objects.create(every=10, period="minutes")
    for name in ("settle", "silent"):
        PeriodicTask.objects.create(name=name, task="tasks.settle.due", interval=every)
    PeriodicTask.objects.update(date_changed=now - timedelta(days=2))
    Schedule.objects.create(name="settle", last_success_at=now, last_slot_at=now, last_lateness_s=0.25, misfire="all", grace_s=90)
    Schedule.objects.create(name="silent", last_success_at=now - timedelta(hours=30))
    page = said(staff)
    assert "silent has not succeeded for 1 d 6 h; it should within 30 m 00 s." in page
    assert page.index("silent has not succeeded") < page.index("Running now")
    assert 'late by">250 ms<' in page
    assert "all are made up <small>within 1 m 30 s</small>" in page
    assert page.count('role="alert"') == 1
    PeriodicTask.objects.filter(name="silent").update(enabled=False)
    assert 'role="alert"' not in said(staff)


def test_dead_letters_show_reason_and_arguments_and_the_trace_only_to_those_who_may_act(clean_redis, letter, staff):
    page = said(staff)
    for words in ("tasks.settle.due", "market mkt_&lt;b&gt;1", "KeyError: &#x27;x&#x27;", letter.id):
        assert words in page, words
    assert "Traceback" not in page
    assert "Replay" not in page.replace("Replay and discard", "")
    User.objects.get(username="olga").user_permissions.add(Permission.objects.get(codename="change_job"))
    page = said(staff)
    assert "Traceback (most recent call last): &lt;script&gt;" in page
    assert "<script>alert" not in page
    assert f'action="/desk/queue/{letter.id}/replay/"' in page


def test_replay_puts_the_work_back_and_is_audited(clean_redis, letter, may_act):
    page = may_act.post(f"{PAGE}{letter.id}/replay/", follow=True).content.decode()
    assert f"{letter.id}: back in its queue" in page
    assert (Job.objects.get().state, Job.objects.get().attempts) == ("queued", 0)
    assert deeds() == [("dead_letter.replayed", letter.id, "staff:olga")]
    page = may_act.post(f"{PAGE}{letter.id}/replay/", follow=True).content.decode()
    assert f"{letter.id} is queued, not parked" in page
    assert len(deeds()) == 1


def test_discard_lets_the_work_go_and_is_audited(clean_redis, letter, may_act):
    page = may_act.post(f"{PAGE}{letter.id}/discard/", follow=True).content.decode()
    assert f"{letter.id}: discarded" in page
    assert "No work is parked" in page
    assert Job.objects.get().state == "discarded"
    assert deeds() == [("dead_letter.discarded", letter.id, "staff:olga")]


@pytest.mark.parametrize("deed", ["replay", "discard"])
def test_who_may_not_act_changes_nothing(clean_redis, letter, nobody, stranger, staff, deed):
    path = f"{PAGE}{letter.id}/{deed}/"
    assert [client.post(path).status_code for client in (nobody, stranger, staff)] == [302, 302, 403]
    assert Job.objects.get().state == "parked"
    assert deeds() == []


@pytest.mark.parametrize("path", [f"{PAGE}job_none/replay/", f"{PAGE}job_none/burn/"])
def test_what_is_not_there_is_not_found(clean_redis, letter, may_act, path):
    assert may_act.post(path).status_code == 404
    assert Job.objects.get().state == "parked"


def test_a_deed_is_a_post_with_the_pages_token(clean_redis, letter, may_act):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = may_act.cookies
    assert strict.post(f"{PAGE}{letter.id}/replay/").status_code == 403
    assert may_act.get(f"{PAGE}{letter.id}/replay/").status_code == 405
    assert Job.objects.get().state == "parked"


def test_the_page_is_for_staff(clean_redis, nobody, stranger, staff):
    for path in (PAGE, PARTS):
        assert [client.get(path).status_code for client in (nobody, stranger, staff)] == [302, 302, 200]
    assert nobody.get(PARTS, headers={"HX-Request": "true"}).status_code == 401


def test_dead_letters_come_anew_only_when_they_are_others(clean_redis, letter, staff):
    mark = said(staff).split("?letters=")[1].split('"')[0]
    same, first = said(staff, f"{PARTS}?letters={mark}"), said(staff, PARTS)
    assert 'id="letters"' not in same
    assert 'id="queues"' in same
    assert same.count('hx-swap-oob="true"') == 6
    assert 'id="letters"' in first
    make_job("parked", now=datetime.now(tz=UTC))
    assert 'id="letters"' in said(staff, f"{PARTS}?letters={mark}")


def test_without_redis_the_rows_are_still_shown(staff, letter, settings):
    settings.CACHES = {**settings.CACHES, "strict": {**settings.CACHES["strict"], "LOCATION": "redis://127.0.0.1:1/0"}}
    settings.KIT_REDIS_URL = "redis://127.0.0.1:1/0"
    page = said(staff)
    assert "The broker does not answer" in page
    assert "nobody knows what waits" in page
    assert letter.id in page


def test_the_page_costs_the_same_however_much_there_is(clean_redis, staff, now):
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            said(staff)
        return len(queries)

    said(staff)
    before = asked()
    every = IntervalSchedule.objects.create(every=10, period="minutes")
    for number in range(12):
        make_job("parked", now=now)
        make_job("running", now=now)
        PeriodicTask.objects.create(name=f"tick {number}", task="tasks.settle.due", interval=every)
    assert asked() == before <= 12
