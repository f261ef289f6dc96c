"""The four rooms of the money flow in the admin: every page opens, nobody writes past the services."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from apps.audit.models import Event
from apps.portfolio.models import EquityPoint, Portfolio, Position
from apps.risk import services as risk
from apps.risk.models import Decision, Limits, Lock
from apps.settlement import services as settlement
from apps.settlement.models import Settlement
from apps.trading.models import Fill, Order, PaperOrder
from tests.integration.trading.desk import BY, NOW

pytestmark = pytest.mark.django_db
MODELS = (Portfolio, Position, EquityPoint, Limits, Lock, Decision, Order, Fill, PaperOrder, Settlement)


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("carol", password="not-used-here"))
    return client


@pytest.fixture
def busy_desk(desk):
    desk.signal()
    desk.take()
    desk.fill()
    settlement.settle_due(now=desk.resolve(), by=BY)
    risk.halt(tenant_id=desk.tenant_id, reason="drill", by=BY, now=NOW)
    return desk


def page(model, name: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_lists_and_rows_open_and_none_can_be_added(busy_desk, staff, model):
    row = model.objects.first()
    assert row is not None
    assert staff.get(page(model, "changelist")).status_code == 200
    assert staff.get(page(model, "change", row.pk)).status_code == 200
    assert staff.get(page(model, "add")).status_code == 403
    assert staff.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", [model for model in MODELS if model is not Limits], ids=lambda model: model.__name__)
def test_rows_cannot_be_changed(busy_desk, staff, model):
    assert staff.post(page(model, "change", model.objects.first().pk), {"state": "filled"}).status_code == 403


def limits_form(limits: Limits, **changes: object) -> dict[str, object]:
    fields = [field.name for field in Limits._meta.fields if field.name not in ("id", "tenant", "updated_at", "updated_by")]
    return {name: getattr(limits, name) for name in fields} | changes


def test_an_edit_of_limits_goes_through_the_service_and_is_audited(busy_desk, staff):
    limits = Limits.objects.get()
    answer = staff.post(page(Limits, "change", limits.pk), limits_form(limits, positions_open_max=7))
    assert answer.status_code == 302
    limits.refresh_from_db()
    assert (limits.positions_open_max, limits.updated_by) == (7, "user:carol")
    assert Event.objects.get(action="limits.changed").actor == "user:carol"


def test_a_wrong_limit_in_the_form_changes_nothing(busy_desk, staff):
    limits = Limits.objects.get()
    staff.post(page(Limits, "change", limits.pk), limits_form(limits, concentration_max_share=2))
    limits.refresh_from_db()
    assert limits.concentration_max_share == 0.40
    assert not Event.objects.filter(action="limits.changed").exists()


def test_rearming_and_reversing_are_actions_with_an_actor(busy_desk, staff):
    chosen = {"action": "rearm", "_selected_action": [Lock.objects.get().pk]}
    assert staff.post(page(Lock, "changelist"), chosen).status_code == 302
    assert Lock.objects.get().lifted_by == "user:carol"
    chosen = {"action": "reverse", "_selected_action": [Settlement.objects.get().pk]}
    assert staff.post(page(Settlement, "changelist"), chosen).status_code == 302
    assert Settlement.objects.get().reversed_reason == "reversed in the admin"
    assert Event.objects.get(action="settlement.reversed").actor == "user:carol"


def test_staff_without_the_permission_has_no_such_action(busy_desk, client):
    user = get_user_model().objects.create_user("bob", password="not-used-here", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_lock", "view_settlement")))
    client.force_login(user)
    for model, action in ((Lock, "rearm"), (Settlement, "reverse")):
        assert client.get(page(model, "changelist")).status_code == 200
        client.post(page(model, "changelist"), {"action": action, "_selected_action": [model.objects.get().pk]})
    assert Lock.objects.get().lifted_at is None
    assert Settlement.objects.get().reversed_at is None
