"""What a schedule does about missed slots is changed through the service, which judges and audits."""

from __future__ import annotations

import pytest

from apps.audit.models import Event
from apps.jobs import services as jobs
from apps.jobs.errors import ScheduleNotFound, WrongSchedule
from apps.jobs.models import Schedule
from tests.integration.jobs.jobs_world import NOW

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


def test_the_admin_says_what_the_service_refuses(seal, admin_client):
    form = {"misfire": "latest", "grace_s": "0", "alert_after_s": ""}
    page = admin_client.post(PAGE, form, follow=True).content.decode()
    assert "grace_s is whole seconds" in page
    seal.refresh_from_db()
    assert (seal.grace_s, Event.objects.count()) == (60, 0)


def test_schedules_are_neither_made_nor_deleted_by_hand(seal, admin_client):
    assert admin_client.get("/admin/jobs/schedule/add/").status_code == 403
    assert admin_client.post(PAGE.replace("change", "delete"), {"post": "yes"}).status_code == 403
    assert Schedule.objects.count() == 1
