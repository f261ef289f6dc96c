"""Staff write intervals in admin; what beat would not run is refused there."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule

from apps.accounts.models import User

PAGE = "admin:django_celery_beat_intervalschedule_"


@pytest.fixture
def root(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.mark.parametrize(("number", "period"), [("1", "seconds"), ("100000", "microseconds"), ("3653", "days")])
def test_what_beat_runs_can_be_entered(root, number, period):
    assert root.post(reverse(f"{PAGE}add"), {"every": number, "period": period}).status_code == 302
    assert [(row.every, row.period) for row in IntervalSchedule.objects.all()] == [(int(number), period)]


@pytest.mark.parametrize(("number", "period"), [("1", "microseconds"), ("99999", "microseconds"), ("999999999", "days")])
def test_what_beat_would_not_run_is_refused_and_nothing_is_stored(root, number, period):
    answer = root.post(reverse(f"{PAGE}add"), {"every": number, "period": period})
    (told,) = answer.context["adminform"].form.non_field_errors()
    assert told.endswith("an interval is at least 0.1 seconds and at most ten years")
    assert IntervalSchedule.objects.count() == 0


def test_a_schedule_in_use_cannot_be_hurried_beyond_it(root):
    row = IntervalSchedule.objects.create(every=1, period="seconds")
    answer = root.post(reverse(f"{PAGE}change", args=[row.pk]), {"every": "1", "period": "microseconds"})
    row.refresh_from_db()
    assert (answer.status_code, row.period) == (200, "seconds")


def test_an_empty_form_is_told_by_its_fields(root):
    answer = root.post(reverse(f"{PAGE}add"), {"every": "", "period": ""})
    assert sorted(answer.context["adminform"].form.errors) == ["every", "period"]
