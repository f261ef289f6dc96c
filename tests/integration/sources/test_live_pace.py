"""The pace that staff set: a row, audited, never above what is published, and obeyed by all that take slots."""

from __future__ import annotations

import asyncio
import time

import pytest
import redis
from django.conf import settings as desk
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from django.test import Client

from apps.accounts.models import User
from apps.audit.models import Event
from apps.core.errors import Invalid
from apps.resilience import Limiter, PacedItem, RedisStore
from apps.sources import selectors, services
from apps.sources.errors import UnknownSource
from apps.sources.models import Source
from apps.sources.pacing import pace_of, paced_queue
from tests.integration.sources.conftest import NOW
from tests.integration.tasks.paced_world import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("clean_redis")]
REDDIT, PUBLISHED = "reddit", 60


@pytest.fixture(autouse=True)
def rows(db):
    services.ensure_sources(by="test", now=NOW)


@pytest.fixture
def may_act(staff: Client) -> Client:
    User.objects.get(username="olga").user_permissions.add(Permission.objects.get(codename="change_source"))
    return staff


def interval_s() -> float:
    """Return the interval at which another process gets slots now; takes one."""
    pace = pace_of(REDDIT)
    assert pace is not None

    async def take() -> float:
        store = RedisStore(desk.KIT_REDIS_URL)
        reservation = await Limiter(REDDIT, pace, store=store).reserve()
        await store.close()
        return reservation.interval_s

    return asyncio.run(take())


def override_us() -> int:
    with redis.Redis.from_url(desk.KIT_REDIS_URL) as server:
        return int(server.hget(f"kit:{{{REDDIT}}}:pace", "override") or 0)


def shown() -> tuple[float, int | None]:
    standing = next(row for row in selectors.list_standings(now=NOW) if row.view.slug == REDDIT)
    return round(standing.breaker.per_minute, 3), standing.view.per_minute_set


def test_another_process_obeys_from_its_next_slot_on_until_it_is_lifted():
    before_s = interval_s()
    services.set_pace(source=REDDIT, per_minute=6, by="alice", now=NOW)
    assert interval_s() == pytest.approx(before_s * 10, abs=1e-5)
    assert shown() == (6.0, 6)
    services.set_pace(source=REDDIT, per_minute=None, by="alice", now=NOW)
    assert interval_s() == before_s
    assert shown() == (PUBLISHED, None)


def test_what_waits_already_obeys_too():
    services.set_pace(source=REDDIT, per_minute=1, by="alice", now=NOW)
    pace = pace_of(REDDIT)
    assert pace is not None
    paced_queue().offer_many([PacedItem(id=name, source=REDDIT, body="") for name in "abc"], pace)
    time.sleep(1.2)
    assert paced_queue().pop(REDDIT).popped == ()
    assert [line.count for line in selectors.list_waiting()] == [2]


def test_it_is_audited_with_what_it_was_before():
    services.set_pace(source=REDDIT, per_minute=6, by="alice", now=NOW)
    services.set_pace(source=REDDIT, per_minute=None, by="bob", now=NOW)
    events = Event.objects.filter(action="source.pace_set", subject=REDDIT).order_by("id")
    assert [(event.actor, event.detail) for event in events] == [
        ("alice", {"per_minute": 6, "before": None}),
        ("bob", {"per_minute": None, "before": 6}),
    ]


@pytest.mark.parametrize("per_minute", [0, -1, PUBLISHED + 1])
def test_less_than_one_and_more_than_is_published_are_refused_and_nothing_changes(per_minute):
    before_s = interval_s()
    with pytest.raises(Invalid, match="from 1 to 60"):
        services.set_pace(source=REDDIT, per_minute=per_minute, by="alice", now=NOW)
    assert Source.objects.get(slug=REDDIT).pace_per_minute is None
    assert not Event.objects.filter(action="source.pace_set").exists()
    assert interval_s() == before_s


def test_an_unknown_source_has_no_pace():
    with pytest.raises(UnknownSource):
        services.set_pace(source="nobody", per_minute=1, by="alice", now=NOW)


def test_the_table_itself_refuses_a_pace_of_nothing():
    with pytest.raises(IntegrityError), transaction.atomic():
        Source.objects.filter(slug=REDDIT).update(pace_per_minute=0)


def test_a_reset_of_the_breaker_does_not_lift_it():
    services.set_pace(source=REDDIT, per_minute=6, by="alice", now=NOW)
    services.reset_breaker(source=REDDIT, by="alice", now=NOW)
    assert shown() == (6.0, 6)


def test_a_store_that_came_back_empty_is_told_again(clean_redis):
    services.set_pace(source=REDDIT, per_minute=6, by="alice", now=NOW)
    with redis.Redis.from_url(desk.KIT_REDIS_URL) as server:
        server.flushdb()
    assert override_us() == 0

    def is_told() -> bool:
        services.push_paces()  # again and again, as the mover does: a server that is busy may be late for once
        return override_us() > 0

    wait_until(is_told, 30)
    assert shown() == (6.0, 6)


def test_staff_set_it_at_the_desk(may_act):
    page = may_act.post(f"/desk/sources/{REDDIT}/pace/", {"per_minute": "12"}, follow=True).content.decode()
    assert "reddit: at most 12 calls a minute" in page
    assert "set: 12" in page
    for wrong in ("61", "0", "1.5", "-3", "٣", "9" * 40):
        may_act.post(f"/desk/sources/{REDDIT}/pace/", {"per_minute": wrong}, follow=True)
        assert Source.objects.get(slug=REDDIT).pace_per_minute == 12
    assert "pace as published" in may_act.post(f"/desk/sources/{REDDIT}/pace/", {"per_minute": ""}, follow=True).content.decode()
    assert Source.objects.get(slug=REDDIT).pace_per_minute is None
    actors = Event.objects.filter(action="source.pace_set").values_list("actor", flat=True)
    assert list(actors) == ["staff:olga", "staff:olga"]


def test_who_may_only_look_sets_no_pace(staff):
    assert staff.post(f"/desk/sources/{REDDIT}/pace/", {"per_minute": "12"}).status_code == 403
    assert Source.objects.get(slug=REDDIT).pace_per_minute is None


def test_staff_set_it_in_the_admin(admin_client):
    def act(per_minute: str) -> str:
        form = {"action": "set_paces", "_selected_action": [REDDIT], "per_minute": per_minute}
        page: str = admin_client.post("/admin/sources/source/", form, follow=True).content.decode()
        return page

    assert 'name="per_minute"' in admin_client.get("/admin/sources/source/").content.decode()
    assert "at most 12 calls a minute" in act("12")
    assert Source.objects.get(slug=REDDIT).pace_per_minute == 12
    assert "goes from 1 to 60" in act("61")
    assert "whole number" in act("many")
    assert Source.objects.get(slug=REDDIT).pace_per_minute == 12
    assert "pace as published" in act("")
    assert Source.objects.get(slug=REDDIT).pace_per_minute is None
