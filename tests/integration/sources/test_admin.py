"""Sources in the admin: to look at, and to act on through audited actions only."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from apps.audit.models import Event
from apps.sources import services
from apps.sources.models import ErrandPart, FetchCall, FetchLog, Quarantine, Source
from tests.factories.wires import gamma_market
from tests.integration.sources.conftest import NOW

pytestmark = pytest.mark.django_db
GAMMA = "polymarket_gamma"
PAGES: dict[str, Any] = {"source": Source, "fetchlog": FetchLog, "fetchcall": FetchCall, "quarantine": Quarantine}


def page(name: str, rest: str = "") -> str:
    return f"/admin/sources/{name}/{rest}"


def act(client: Client, action: str):
    return client.post(page("source"), {"action": action, "_selected_action": [GAMMA]}, follow=True)


@pytest.fixture
def fetched(vendor):
    vendor.says({"markets": [gamma_market(), gamma_market(endDate=None)]})
    services.ensure_sources(by="test", now=NOW)
    services.fetch_markets(source=GAMMA, now=NOW, by="test")
    return vendor


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_table_can_be_looked_at_and_none_can_be_written(admin_client, fetched, name):
    row = PAGES[name].objects.latest("pk") if name != "source" else Source.objects.get(slug=GAMMA)
    assert admin_client.get(page(name)).status_code == 200
    assert admin_client.get(page(name, f"{row.pk}/change/")).status_code == 200
    assert admin_client.get(page(name, "add/")).status_code == 403
    assert admin_client.post(page(name, f"{row.pk}/change/"), {"name": "x"}).status_code == 403
    assert admin_client.post(page(name, f"{row.pk}/delete/"), {"post": "yes"}).status_code == 403


def test_pausing_and_resuming_are_done_by_name_and_audited(admin_client, admin_user, fetched):
    assert "1 paused." in act(admin_client, "pause_chosen").content.decode()
    assert Source.objects.get(slug=GAMMA).state_reason == "paused in the admin"
    assert "Polymarket Gamma is resumed." in act(admin_client, "resume_chosen").content.decode()
    assert Source.objects.get(slug=GAMMA).state == "on"
    deeds = Event.objects.filter(subject=GAMMA).order_by("id").values_list("action", "actor")
    actor = f"staff:{admin_user.get_username()}"
    assert list(deeds) == [("source.paused", actor), ("source.resumed", actor)]


def test_lifting_the_pause_of_a_source_that_settings_leave_off_says_so(admin_client, fetched, settings):
    act(admin_client, "pause_chosen")
    settings.SOURCES_ON = ("yahoo",)
    assert "Polymarket Gamma is no longer paused, but off: it" in act(admin_client, "resume_chosen").content.decode()
    assert Source.objects.get(slug=GAMMA).state == "off"


def test_a_part_of_an_errand_is_shown_by_its_length(admin_client):
    part = ErrandPart.objects.create(
        errand="news of gamma", name="answer /a", told={"status": 200}, body=b"x" * 4321, kept_at=NOW
    )
    for shown in (page("errandpart", f"?q={part.errand}"), page("errandpart", f"{part.pk}/change/")):
        text = admin_client.get(shown).content.decode()
        assert [part.name in text, "4321" in text, "xxx" in text] == [True, True, False]


def test_a_check_shows_what_the_vendor_said(admin_client, fetched):
    assert "Polymarket Gamma: 1 of 2 markets read: endDate is missing" in act(admin_client, "check_chosen").content.decode()
    fetched.says(b"", status=503)
    assert "Polymarket Gamma: vendor-away" in act(admin_client, "check_chosen").content.decode()


def test_breakers_are_closed_by_hand(admin_client, fetched):
    assert "1 breakers closed." in act(admin_client, "close_breakers").content.decode()
    assert Event.objects.filter(action="source.breaker_reset", subject=GAMMA).count() == 1


def test_staff_who_may_only_look_cannot_act(client, fetched):
    looker = get_user_model().objects.create_user("looker", password="correct horse battery", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename="view_source"))
    client.force_login(looker)
    assert client.get(page("source")).status_code == 200
    act(client, "pause_chosen")
    assert Source.objects.get(slug=GAMMA).state == "on"
    assert not Event.objects.filter(subject=GAMMA).exists()
