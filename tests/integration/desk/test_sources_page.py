"""The page of the sources: how every window stands, and its buttons, which are audited and for those who may."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.accounts.models import User
from apps.audit.models import Event
from apps.core import bell, clock
from apps.sources import services
from apps.sources.models import Source
from tests.factories.wires import gamma_market
from tests.integration.sources.conftest import NOW, vendor  # noqa: F401  # the scripted vendor is a fixture of the sources

pytestmark = pytest.mark.django_db
PAGE, GAMMA = "/desk/sources/", "polymarket_gamma"


@pytest.fixture
def may_act(staff: Client) -> Client:
    """A member of staff who may change sources."""
    user = User.objects.get(username="olga")
    user.user_permissions.add(Permission.objects.get(codename="change_source"))
    return staff


@pytest.fixture
def fetched(vendor):  # noqa: F811  # the fixture
    vendor.says({"markets": [gamma_market(), gamma_market(endDate=None)]})
    services.ensure_sources(by="test", now=NOW)
    services.fetch_markets(source=GAMMA, now=clock.now(), by="test")
    return vendor


def do(client: Client, deed: str, slug: str = GAMMA, **form: str):
    return client.post(f"{PAGE}{slug}/{deed}/", form, follow=True)


def deeds() -> list[tuple[str, str]]:
    return list(Event.objects.filter(subject=GAMMA).order_by("id").values_list("action", "actor"))


def test_the_page_shows_every_source_its_pace_its_breaker_and_why_one_is_off(fetched, may_act):
    page = may_act.get(PAGE).content.decode()
    assert page.count("Test now") == Source.objects.count() >= 18
    assert "needs a key: set NEWSAPI_API_KEY" in page
    assert 'data-name="not believed">1<' in page
    assert "half open" not in page


def test_a_paused_source_can_be_resumed_and_both_are_audited(fetched, may_act):
    page = do(may_act, "pause", reason="a look").content.decode()
    assert f"{GAMMA}: paused" in page
    assert "paused: a look" in page
    assert Source.objects.get(slug=GAMMA).state_reason == "a look"
    assert f"{GAMMA}: resumed" in do(may_act, "resume").content.decode()
    assert [action for action, _ in deeds()] == ["source.paused", "source.resumed"]
    assert {actor.split(":")[0] for _, actor in deeds()} == {"staff"}


def test_a_test_asks_the_vendor_now_even_a_paused_one(fetched, may_act):
    do(may_act, "pause")
    asked = len(fetched.questions)
    assert "1 of 2 markets read" in do(may_act, "check").content.decode()
    assert len(fetched.questions) == asked + 1
    assert [action for action, _ in deeds()] == ["source.paused", "source.checked"]


def test_a_breaker_is_closed_by_hand(fetched, may_act):
    assert "breaker closed" in do(may_act, "reset").content.decode()
    assert [action for action, _ in deeds()] == ["source.breaker_reset"]


def test_a_forced_refresh_rings_the_ticks_that_ask_this_source_and_no_other(fetched, may_act, monkeypatch):
    rung: list[tuple[str, dict]] = []
    monkeypatch.setattr(bell, "ring", lambda task, **kwargs: rung.append((task, kwargs)))
    every = IntervalSchedule.objects.create(every=60, period="seconds")
    for name, source, enabled in (("a", GAMMA, True), ("b", "kalshi", True), ("c", GAMMA, False)):
        kwargs = json.dumps({"source": source})
        PeriodicTask.objects.create(name=name, task="tasks.ingest.catalogue", interval=every, kwargs=kwargs, enabled=enabled)
    both = {"sources": f"newsapi {GAMMA}"}
    PeriodicTask.objects.create(name="d", task="tasks.news.articles", interval=every, kwargs=json.dumps(both))
    assert "2 ticks rung" in do(may_act, "refresh").content.decode()
    assert rung == [("tasks.ingest.catalogue", {"source": GAMMA}), ("tasks.news.articles", both)]
    assert [action for action, _ in deeds()] == ["source.refresh_forced", "source.rung"]


def test_lifting_the_pause_of_a_source_without_its_key_leaves_it_off_and_says_why(fetched, may_act):
    do(may_act, "pause", slug="newsapi")
    page = do(may_act, "resume", slug="newsapi").content.decode()
    assert "newsapi: the pause is lifted; off all the same: it needs a key: set NEWSAPI_API_KEY" in page
    assert Source.objects.get(slug="newsapi").state == "off"
    assert "newsapi cannot be resumed" in do(may_act, "resume", slug="newsapi").content.decode()


@pytest.mark.parametrize(("slug", "deed"), [("nope", "pause"), (GAMMA, "delete")])
def test_what_is_not_there_is_a_404_and_nothing_happens(fetched, may_act, slug, deed):
    assert do(may_act, deed, slug=slug).status_code == 404
    assert deeds() == []


def test_staff_without_the_permission_see_the_page_without_buttons(fetched, staff):
    page = staff.get(PAGE)
    assert (page.status_code, "Test now" in page.content.decode()) == (200, False)
    assert do(staff, "pause").status_code == 403
    assert deeds() == []


def test_strangers_are_sent_to_sign_in_and_a_get_changes_nothing(fetched, may_act, db):
    assert Client().get(PAGE).status_code == 302
    assert Client().post(f"{PAGE}{GAMMA}/pause/").status_code == 302
    assert may_act.get(f"{PAGE}{GAMMA}/pause/").status_code == 405
    assert Source.objects.get(slug=GAMMA).state == "on"
