"""Memory, money and backups can be looked at in the admin, and not be touched."""

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.db import transaction
from django.urls import reverse

from apps.accounts.models import User
from apps.audit import services as audit
from apps.audit.models import Event
from apps.backups.models import Backup, Restore
from apps.ledger.models import Entry
from tests.integration.ledger.conftest import open_book

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
ROOMS = ("audit", "ledger", "backups")
MODELS = sorted((model for model in admin.site._registry if model._meta.app_label in ROOMS), key=lambda model: model._meta.label)


@pytest.fixture
def staff(client):
    """Give the browser of a superuser and a row of everything to look at."""
    book = open_book("alice")
    book.move("opening", "cash", "capital", 1_000)
    book.hold("order:1", 100)
    audit.seal(now=NOW, by="test")
    with transaction.atomic():
        audit.record(action="late", subject="s", by="ann", now=NOW, detail={"n": 1})
    backup = Backup.objects.create(kind="daily", state="done", started_at=NOW, finished_at=NOW, checksum="c")
    Restore.objects.create(backup=backup, is_good=True, started_at=NOW, finished_at=NOW)
    client.force_login(User.objects.create_superuser("root", "root@example.org", "x"))
    return client


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def test_every_model_of_the_three_rooms_is_there():
    assert [model._meta.label for model in MODELS] == [
        "audit.Event",
        "audit.Seal",
        "audit.SealedEvent",
        "audit.UnsealedEvent",
        "backups.Backup",
        "backups.Restore",
        "ledger.Account",
        "ledger.Entry",
        "ledger.Hold",
        "ledger.Posting",
    ]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_lists_and_rows_are_shown_and_cannot_be_changed(staff, model):
    row = model.objects.first()
    before = list(model.objects.order_by("pk").values())
    assert staff.get(page(model, "changelist")).status_code == 200
    assert staff.get(page(model, "changelist"), {"q": "1"}).status_code == 200
    assert staff.get(page(model, "change", row.pk)).status_code == 200
    assert staff.post(page(model, "change", row.pk), {"reference": "x"}).status_code == 403
    assert staff.post(page(model, "add"), {}).status_code == 403
    assert staff.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    everything = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    staff.post(page(model, "changelist"), everything)
    assert list(model.objects.order_by("pk").values()) == before


def test_an_entry_is_shown_with_its_lines(staff):
    shown = staff.get(page(Entry, "change", Entry.objects.get().pk)).content.decode()
    assert "1000" in shown
    assert "-1000" in shown


def test_events_can_be_searched_by_subject(staff):
    entry = Entry.objects.get()
    found = staff.get(page(Event, "changelist"), {"q": entry.id}).context["cl"].queryset
    assert [event.action for event in found] == ["ledger.entry_booked"]
