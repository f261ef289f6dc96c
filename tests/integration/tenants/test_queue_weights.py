"""What a tenant weighs in paced queues: who may say so, what is refused, and how little it costs to know."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from apps.accounts.models import User
from apps.audit.models import Event
from apps.core import clock
from apps.core.errors import Invalid
from apps.resilience.paced_turns import WEIGHT_MAX
from apps.tenants import selectors, services, weights
from apps.tenants.errors import TenantNotFound
from apps.tenants.models import Tenant
from apps.tenants.weights import READ_EVERY_S, Weights

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)


@pytest.fixture
def acme() -> Tenant:
    return Tenant.objects.create(slug="acme", name="Acme", currency="USDC", created_at=NOW)


@pytest.fixture
def moment(monkeypatch):
    """Give a clock that stands until it is set."""

    class Moment:
        at_s = 1_000.0

    monkeypatch.setattr(clock, "monotonic_s", lambda: Moment.at_s)
    return Moment


def edit(tenant: Tenant, **changes: object) -> None:
    services.edit_tenant(tenant_id=tenant.id, changes=changes, by="user:ann", now=NOW)


def told() -> list[dict[str, object]]:
    return list(Event.objects.filter(action="tenant.changed").order_by("id").values_list("detail", flat=True))


def test_a_tenant_weighs_one_until_staff_say_otherwise_and_the_change_is_audited(acme):
    assert (acme.queue_weight, selectors.queue_weights()) == (1, {})
    edit(acme, queue_weight=3, name="Acme")
    assert selectors.queue_weights() == {acme.id: 3}
    assert told() == [{"queue_weight": {"before": 1, "after": 3}}]
    event = Event.objects.get(action="tenant.changed")
    assert (event.subject, event.tenant, event.actor) == (acme.id, "acme", "user:ann")
    edit(acme, queue_weight=3)
    assert len(told()) == 1


@pytest.mark.parametrize("wrong", [0, -1, WEIGHT_MAX + 1, None, "many", 10**9])
def test_a_weight_out_of_range_is_refused_and_nothing_changes(acme, wrong):
    with pytest.raises(Invalid) as refusal:
        edit(acme, name="Other", queue_weight=wrong)
    assert refusal.value.field == "queue_weight"
    acme.refresh_from_db()
    assert (acme.name, acme.queue_weight, told()) == ("Acme", 1, [])


def test_what_the_books_hang_on_is_not_edited_and_a_tenant_must_exist(acme):
    with pytest.raises(Invalid, match="not edited here"):
        edit(acme, currency="EUR")
    with pytest.raises(TenantNotFound):
        services.edit_tenant(tenant_id="tnt_nobody", changes={"queue_weight": 2}, by="x", now=NOW)
    assert told() == []


def test_an_inactive_tenant_can_be_switched_on_again(acme):
    edit(acme, is_active=False)
    edit(acme, is_active=True, queue_weight=2)
    assert [sorted(detail) for detail in told()] == [["is_active"], ["is_active", "queue_weight"]]
    assert Tenant.objects.get(id=acme.id).is_active


@pytest.mark.parametrize("wrong", [0, WEIGHT_MAX + 1])
def test_the_database_refuses_it_as_well(acme, wrong):
    with pytest.raises(IntegrityError, match="tenant_queue_weight_in_range"), transaction.atomic():
        Tenant.objects.filter(id=acme.id).update(queue_weight=wrong)


def test_rows_of_a_release_that_knows_no_weights_weigh_one():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenants_tenant (id, slug, name, currency, is_active, created_at) VALUES ('tnt_old', 'old', '', 'USDC', true, now())"
        )
    assert Tenant.objects.get(id="tnt_old").queue_weight == 1


def test_knowing_the_weights_costs_one_statement_in_ten_seconds_for_all_tenants(acme, moment, django_assert_num_queries):
    edit(acme, queue_weight=7)
    known = Weights()
    with django_assert_num_queries(1):
        assert {known.of(tenant) for tenant in ("tnt_a", "tnt_b", "tnt_c") * 50} == {1}
        assert known.of(acme.id) == 7
    edit(acme, queue_weight=5)
    moment.at_s += READ_EVERY_S - 0.1
    with django_assert_num_queries(0):
        assert known.of(acme.id) == 7
    moment.at_s += 0.1
    with django_assert_num_queries(1):
        assert (known.of(acme.id), known.of("tnt_nobody")) == (5, 1)


def test_while_the_database_is_away_the_last_reading_holds(acme, moment, monkeypatch):
    edit(acme, queue_weight=7)
    known = Weights()
    assert known.of(acme.id) == 7

    def away() -> dict[str, int]:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(selectors, "queue_weights", away)
        moment.at_s += READ_EVERY_S
        assert known.of(acme.id) == 7
        assert Weights().of(acme.id) == 1
    edit(acme, queue_weight=2)
    moment.at_s += READ_EVERY_S
    assert known.of(acme.id) == 2


def test_what_belongs_to_no_tenant_asks_nobody(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert weights.weight_of("") == 1


def test_staff_set_the_weight_in_the_admin_and_a_wrong_one_is_said_on_the_form(acme, client):
    client.force_login(User.objects.create_superuser("root", "root@example.org", "x"))
    page = f"/admin/tenants/tenant/{acme.pk}/change/"
    form = {"name": "Acme", "is_active": "on", "queue_weight": "1001"}
    refused = client.post(page, form)
    assert refused.status_code == 200
    assert "less than or equal to 1000" in refused.content.decode()
    assert client.post(page, form | {"queue_weight": "4"}).status_code == 302
    acme.refresh_from_db()
    assert acme.queue_weight == 4
    assert told() == [{"queue_weight": {"before": 1, "after": 4}}]
    assert Event.objects.get(action="tenant.changed").actor == "user:root"
