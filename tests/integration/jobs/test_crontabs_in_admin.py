"""Staff write crontabs in admin, the last day of the month among them; what beat could not read is refused there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from apps.accounts.models import User
from apps.core import clock
from apps.jobs import selectors
from apps.jobs.definitions import read_definitions

ADD = "admin:django_celery_beat_crontabschedule_add"
FIELDS = {"minute": "0", "hour": "3", "day_of_month": "L", "month_of_year": "*", "day_of_week": "*", "timezone": "Europe/Berlin"}
NO_TASKS = {"periodictask_set-TOTAL_FORMS": "0", "periodictask_set-INITIAL_FORMS": "0"}  # the form of its list of tasks
NOW = datetime(2027, 12, 1, tzinfo=UTC)


@pytest.fixture
def root(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def add(root: Client, **fields: str) -> list[str]:
    """Send the form and return what it complains of."""
    answer = root.post(reverse(ADD), FIELDS | NO_TASKS | fields)
    if answer.status_code == 302:
        return []
    errors = answer.context["adminform"].form.errors
    assert errors
    return [f"{field}: {words}" for field, found in errors.items() for words in found]


@pytest.mark.parametrize("written", ["L", "l", "15,L", "LW", "*", "1-7", "1, 15"])
def test_days_of_the_month_can_be_entered_and_are_read_by_beat(root, written):
    assert add(root, day_of_month=written) == []
    row = CrontabSchedule.objects.get()
    assert row.day_of_month == written.upper()
    PeriodicTask.objects.create(name="month end", task="tasks.upkeep.seal", crontab=row)
    assert [of.name for of in read_definitions().usable] == ["month end"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"day_of_month": "X"}, "__all__"),
        ({"day_of_month": "32"}, "__all__"),
        ({"day_of_month": "L-3"}, "__all__"),
        ({"day_of_month": ""}, "day_of_month"),
        ({"day_of_month": "30", "month_of_year": "2"}, "__all__"),
        ({"minute": "L"}, "minute"),
        ({"timezone": "Europe/Atlantis"}, "timezone"),
    ],
)
def test_what_beat_could_not_read_is_refused_and_nothing_is_stored(root, wrong, field):
    assert f"{field}: " in " ".join(add(root, **wrong))
    assert CrontabSchedule.objects.count() == 0


def test_an_entered_crontab_can_be_changed_to_the_last_day_and_says_when_it_comes(root, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    row = CrontabSchedule.objects.create(**FIELDS | {"day_of_month": "5"})
    page = reverse("admin:django_celery_beat_crontabschedule_change", args=[row.pk])
    assert root.post(page, FIELDS | NO_TASKS).status_code == 302
    shown = root.get(page).content.decode()
    assert "on the last day of the month" in shown
    assert "2027-12-31 02:00, 2028-01-31 02:00, 2028-02-29 02:00" in shown
    assert "2027-12-31 02:00" in root.get(reverse("admin:django_celery_beat_crontabschedule_changelist")).content.decode()


def test_a_crontab_that_programs_wrote_and_nobody_can_read_spoils_no_page(root):
    CrontabSchedule.objects.create(**FIELDS | {"day_of_month": "30", "month_of_year": "2"})
    shown = root.get(reverse("admin:django_celery_beat_crontabschedule_changelist"))
    assert (shown.status_code, b"never: 0 3 30 2 *" in shown.content) == (200, True)


def test_the_standing_of_a_schedule_tells_the_last_days_to_come(root):
    assert add(root) == []
    task = PeriodicTask.objects.create(name="month end", task="tasks.upkeep.seal", crontab=CrontabSchedule.objects.get())
    [standing] = selectors.schedule_standings(now=NOW)
    assert [f"{slot:%m-%d %H:%M}" for slot in standing.next_at] == ["12-31 02:00", "01-31 02:00", "02-29 02:00"]
    page = root.get(reverse("admin:django_celery_beat_periodictask_change", args=[task.pk]))
    assert "on the last day of the month" in page.content.decode()
