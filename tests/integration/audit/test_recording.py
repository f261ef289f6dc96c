"""Writing events."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.audit import selectors, services
from apps.audit.errors import SecretInDetail, UnfitDetail
from apps.audit.models import Event, Seal, SealedEvent, UnsealedEvent
from apps.core.db import OutsideTransaction

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)


def record(**changes):
    given: dict[str, Any] = {"action": "a.b", "subject": "s_1", "by": "ann", "now": NOW, "detail": {}}
    with transaction.atomic():
        return services.record(**given | changes)


def test_an_event_is_kept_as_it_was_told():
    event_id = record(tenant="tnt_1", detail={"price": Decimal("0.5"), "at": NOW, "n": 3})
    row = Event.objects.get(id=event_id)
    assert (row.at, row.tenant, row.actor, row.action, row.subject) == (NOW, "tnt_1", "ann", "a.b", "s_1")
    assert row.detail == {"price": "0.5", "at": "2026-11-22T15:00:00.000000+00:00", "n": 3}
    assert list(UnsealedEvent.objects.values_list("event_id", flat=True)) == [event_id]


def test_an_event_alone_is_refused():
    with pytest.raises(OutsideTransaction):
        services.record(action="a", subject="s", by="ann", now=NOW, detail={})
    assert Event.objects.count() == 0


def test_an_event_goes_with_the_deed_that_failed():
    def fail_after_telling():
        with transaction.atomic():
            services.record(action="a", subject="s", by="ann", now=NOW, detail={})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_telling()
    assert (Event.objects.count(), UnsealedEvent.objects.count()) == (0, 0)


@pytest.mark.parametrize("detail", [{"password": "x"}, {"deep": [{"api_key": "x"}]}])
def test_secrets_are_refused_and_nothing_is_written(detail):
    with pytest.raises(SecretInDetail):
        record(detail=detail)
    assert Event.objects.count() == 0


def test_a_value_without_fixed_form_is_refused():
    with pytest.raises(UnfitDetail):
        record(detail={"x": object()})
    assert Event.objects.count() == 0


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    text=st.text(max_size=60),
    detail=st.dictionaries(
        st.sampled_from(["a", "b", "\u0130", "x\0"]),
        st.integers() | st.floats() | st.text() | st.lists(st.decimals(allow_nan=False), max_size=3) | st.none(),
    ),
    at=st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(UTC)),
)
def test_whatever_is_recorded_verifies_as_it_comes_back(text, detail, at):
    record(subject=text, by=text, detail=detail, now=at)
    found = selectors.verify()
    assert found.problems == ()


@pytest.mark.parametrize("table", ["audit_event", "audit_seal", "audit_sealedevent"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_database_itself_refuses_every_change(table, verb):
    record()
    services.seal(now=NOW, by="test")
    connection.check_constraints()  # nothing deferred may speak first
    column = {"audit_event": "actor = 'eve'", "audit_seal": "number = 9", "audit_sealedevent": "position = 9"}[table]
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(verb.format(table, column))
    assert (Event.objects.count(), Seal.objects.count(), SealedEvent.objects.count()) == (1, 1, 1)


def test_the_tables_list_newest_first():
    first, second = record(), record(subject="s_2", now=NOW + timedelta(seconds=1))
    services.seal(now=NOW, by="test")
    assert [row["id"] for row in selectors.events_table()] == [second, first]
    assert [row["subject"] for row in selectors.events_table().filter(subject="s_2")] == ["s_2"]
    assert [row["event_count"] for row in selectors.seals_table()] == [2]
    assert (selectors.event_count(), selectors.unsealed_count()) == (2, 0)
