"""Every model has an admin page that works, and the books and memories cannot be edited there."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import RequestFactory
from django.urls import reverse
from unfold.admin import ModelAdmin

from apps.accounts.models import User

pytestmark = pytest.mark.django_db(transaction=True)

READ_ONLY = {
    *("audit.Event", "audit.Seal", "audit.SealedEvent"),
    *("ledger.Account", "ledger.Entry", "ledger.Posting", "ledger.Hold"),
    *("trading.Order", "trading.Fill", "trading.PaperOrder"),
    *("settlement.Settlement", "risk.Decision", "portfolio.Position", "forecasts.Forecast", "markets.Quote"),
    *("monitoring.TaskFailure", "jobs.Job", "backups.Backup", "backups.Restore"),
}
INSIDE_OF_ANOTHER = {"settlement.SettlementLine"}  # shown as lines of their settlement


@pytest.fixture
def root(client):
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_every_model_of_ours_has_its_page():
    ours = {model._meta.label for model in apps.get_models() if model.__module__.startswith("apps.")}
    registered = {model._meta.label for model in admin.site._registry}
    assert ours - registered - INSIDE_OF_ANOTHER == set()


def test_all_pages_wear_the_theme():
    plain = [model._meta.label for model, page in admin.site._registry.items() if not isinstance(page, ModelAdmin)]
    assert plain == []


def test_every_list_and_one_row_of_each_open(day, root):
    root.raise_request_exception = False
    broken = []
    for model in admin.site._registry:
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        paths = [reverse(f"{base}_changelist"), reverse(f"{base}_changelist") + "?q=x"]
        row = model._default_manager.first()
        if row is not None:
            paths.append(reverse(f"{base}_change", args=[row.pk]))
        broken += [path for path in paths if root.get(path, follow=True).status_code != 200]
    assert broken == []


@pytest.mark.parametrize("label", sorted(READ_ONLY))
def test_books_and_memories_are_read_only(label, db):
    request = RequestFactory().get("/admin/")
    request.user = User.objects.create_superuser("root")
    page = admin.site._registry[apps.get_model(label)]
    allowed = [page.has_add_permission(request), page.has_change_permission(request), page.has_delete_permission(request)]
    assert allowed == [False, False, False]
    assert page.has_view_permission(request)


def test_a_schedule_can_be_changed(root):
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    every = IntervalSchedule.objects.create(every=10, period="seconds")
    task = PeriodicTask.objects.create(name="books", task="tasks.ingest.books", interval=every)
    page = root.get(reverse("admin:django_celery_beat_periodictask_change", args=[task.pk]))
    assert page.status_code == 200
    assert b"tasks.ingest.books" in page.content


def test_the_admin_leads_to_the_desk(root):
    assert b'href="/desk/"' in root.get("/admin/").content
