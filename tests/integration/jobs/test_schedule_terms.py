"""What a schedule does about missed slots is changed through the service, which judges and audits."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry

from apps.audit.models import Event
from apps.jobs import services as jobs
from apps.jobs.errors import ScheduleNotFound, WrongSchedule
from apps.jobs.models import Schedule
from tests.integration.jobs.jobs_world import NOW
from tests.integration.jobs.queue_rows import make_job

PAGE = "/admin/jobs/schedule/seal%20audit/change/"


@pytest.fixture
def seal(db):
    return Schedule.objects.create(name="seal audit", grace_s=60, handled_until=NOW)


def edit(name="seal audit", **changes):
    jobs.edit_schedule(name=name, changes=changes, by="olga", now=NOW)


def test_an_edit_is_stored_and_audited(seal):
    edit(misfire="all", grace_s=None, alert_after_s=600)
    seal.refresh_from_db()
    assert (seal.misfire, seal.grace_s, seal.alert_after_s, seal.handled_until) == ("all", None, 600, NOW)
    event = Event.objects.get()
    assert (event.action, event.subject, event.actor) == ("schedule.edited", "seal audit", "olga")
    assert event.detail["before"] == {"misfire": "latest", "grace_s": 60, "alert_after_s": None}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("misfire", "never"),
        ("misfire", None),
        ("grace_s", 0),
        ("grace_s", -5),
        ("grace_s", 1.5),
        ("grace_s", True),
        ("alert_after_s", "soon"),
        ("alert_after_s", 10**12),
        ("handled_until", NOW),
        ("name", "other"),
    ],
)
def test_nonsense_is_refused_by_name_and_nothing_changes(seal, field, value):
    with pytest.raises(WrongSchedule) as refusal:
        jobs.edit_schedule(name="seal audit", changes={"misfire": "skip", field: value}, by="olga", now=NOW)
    assert refusal.value.field == field
    seal.refresh_from_db()
    assert (seal.misfire, seal.grace_s, Event.objects.count()) == ("latest", 60, 0)


def test_an_unknown_schedule_is_not_found(db):
    with pytest.raises(ScheduleNotFound):
        edit("none", misfire="all")


def test_the_admin_edits_terms_and_nothing_else(seal, admin_client):
    form = {"misfire": "skip", "grace_s": "", "alert_after_s": "900", "handled_until": "", "name": "other"}
    answer = admin_client.post(PAGE, form)
    assert answer.status_code == 302
    seal.refresh_from_db()
    assert (seal.misfire, seal.grace_s, seal.alert_after_s, seal.handled_until) == ("skip", None, 900, NOW)
    assert [event.actor for event in Event.objects.all()] == ["user:admin"]


def test_schedules_are_neither_made_nor_deleted_by_hand(seal, admin_client):
    assert admin_client.get("/admin/jobs/schedule/add/").status_code == 403
    assert admin_client.post(PAGE.replace("change", "delete"), {"post": "yes"}).status_code == 403
    assert Schedule.objects.count() == 1


@pytest.mark.parametrize("field", ["grace_s", "alert_after_s"])
@pytest.mark.parametrize("wrong", ["-1", "0", "99999999999", "soon"])
def test_the_page_refuses_nonsense_beside_its_field_and_never_says_that_it_was_changed(seal, admin_client, field, wrong):
    answer = admin_client.post(PAGE, {"misfire": "skip", "grace_s": "60", "alert_after_s": "", field: wrong}, follow=True)
    assert list(answer.context["adminform"].form.errors) == [field]
    assert b"changed successfully" not in answer.content
    seal.refresh_from_db()
    assert (seal.misfire, seal.grace_s, Event.objects.count(), LogEntry.objects.count()) == ("latest", 60, 0, 0)


def test_what_only_the_service_refuses_leaves_nothing_behind_and_is_said(seal, admin_client, monkeypatch):
    def refuse(**_):
        raise WrongSchedule("misfire is none of ours", field="misfire")

    monkeypatch.setattr(jobs, "edit_schedule", refuse)
    answer = admin_client.post(PAGE, {"misfire": "all", "grace_s": "60"}, follow=True)
    assert b"misfire is none of ours" in answer.content
    assert b"changed successfully" not in answer.content
    seal.refresh_from_db()
    assert (seal.misfire, LogEntry.objects.count()) == ("latest", 0)


def test_the_lists_tell_moments_to_the_second(seal, admin_client):
    Schedule.objects.update(last_success_at=NOW.replace(minute=7, second=9))
    moment = f"{NOW:%m-%d %H}:07:09"
    assert moment in admin_client.get("/admin/jobs/schedule/").content.decode()
    assert moment in admin_client.get(PAGE).content.decode()
    reason = f"no answer {'of theirs ' * 25}"
    job = make_job(
        reason=reason, next_try_at=NOW.replace(minute=8, second=1), made_at=NOW.replace(minute=6, second=3), source="yahoo"
    )
    page = admin_client.get("/admin/jobs/job/").content.decode()
    assert f"due {NOW:%m-%d %H}:08:01" in page
    assert f"{NOW:%m-%d %H}:06:03" in page
    assert [job.id in page, "tasks.upkeep.seal" in page, ">yahoo<" in page, reason in page] == [True, True, True, False]
    assert reason in admin_client.get(f"/admin/jobs/job/{job.id}/change/").content.decode()
