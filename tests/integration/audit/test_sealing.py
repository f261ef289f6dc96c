"""Putting events under seals."""

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from apps.audit import selectors, services
from apps.audit.models import Event, Seal, SealedEvent, UnsealedEvent
from apps.core.db import InsideTransaction, only_one

NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)


def record(count=1):
    with transaction.atomic():
        return [services.record(action="a.b", subject=f"s_{n}", by="ann", now=NOW, detail={"n": n}) for n in range(count)]


def seal_all(now=NOW):
    sealed = services.seal(now=now, by="test")
    assert sealed is not None
    return sealed


@pytest.mark.django_db
def test_nothing_to_seal_makes_no_seal():
    assert services.seal(now=NOW, by="test") is None
    assert Seal.objects.count() == 0


@pytest.mark.django_db
def test_a_seal_covers_all_that_waits():
    ids = record(3)
    sealed = seal_all()
    assert (sealed.number, sealed.event_count, sealed.first_event_id, sealed.last_event_id) == (1, 3, ids[0], ids[-1])
    assert list(SealedEvent.objects.order_by("position").values_list("event_id", "position")) == [
        (ids[0], 0),
        (ids[1], 1),
        (ids[2], 2),
    ]
    assert UnsealedEvent.objects.count() == 0
    found = selectors.verify()
    assert (found.is_good, found.events, found.seals, found.unsealed, found.first_problem) == (True, 3, 1, 0, None)


@pytest.mark.django_db
def test_a_backlog_is_sealed_in_batches_linked_to_each_other(monkeypatch):
    monkeypatch.setattr(services, "BATCH_EVENTS_MAX", 2)
    record(5)
    assert seal_all().number == 3
    assert list(Seal.objects.order_by("number").values_list("number", "event_count")) == [(1, 2), (2, 2), (3, 1)]
    digests = list(Seal.objects.order_by("number").values_list("previous_digest", "digest"))
    assert [digests[0][0], digests[1][0], digests[2][0]] == ["0" * 64, digests[0][1], digests[1][1]]
    assert selectors.verify().is_good


@pytest.mark.django_db
def test_one_call_stops_after_its_share_and_the_next_continues(monkeypatch):
    monkeypatch.setattr(services, "BATCH_EVENTS_MAX", 1)
    monkeypatch.setattr(services, "BATCHES_MAX", 2)
    record(3)
    assert seal_all().number == 2
    assert UnsealedEvent.objects.count() == 1
    assert seal_all().number == 3


@pytest.mark.django_db
def test_events_under_no_seal_yet_are_verified_and_counted():
    record(2)
    services.seal(now=NOW, by="test")
    record(1)
    found = selectors.verify()
    assert (found.is_good, found.events, found.unsealed) == (True, 3, 1)


@pytest.mark.django_db
def test_sealing_inside_a_transaction_is_refused():
    record()
    with transaction.atomic(), pytest.raises(InsideTransaction):
        services.seal(now=NOW, by="test")
    assert Seal.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_late_commit_lies_under_a_later_seal():
    written, may_commit = threading.Event(), threading.Event()
    late_ids = []

    def commit_late():
        with transaction.atomic():
            late_ids.append(services.record(action="late", subject="s", by="bob", now=NOW, detail={}))
            written.set()
            assert may_commit.wait(10)
        connection.close()

    thread = threading.Thread(target=commit_late)
    thread.start()
    assert written.wait(10)
    (early_id,) = record()
    first = seal_all()
    may_commit.set()
    thread.join(10)
    second = seal_all(NOW + timedelta(seconds=1))
    assert late_ids[0] < early_id
    assert (first.first_event_id, second.first_event_id) == (early_id, late_ids[0])
    assert selectors.verify().is_good


@pytest.mark.django_db(transaction=True)
def test_only_one_sealer_works_at_a_time():
    record(2)
    answers = []

    def seal_too():
        answers.append(services.seal(now=NOW, by="other"))
        connection.close()

    with only_one("audit.seal") as is_ours:
        assert is_ours
        thread = threading.Thread(target=seal_too)
        thread.start()
        thread.join(10)
    assert answers == [None]
    assert (Seal.objects.count(), UnsealedEvent.objects.count()) == (0, 2)


@pytest.mark.django_db(transaction=True)
def test_many_writers_and_sealers_leave_every_event_under_one_seal():
    errors = []

    def work(number):
        try:
            for step in range(10):
                record(1)
                if step % 3 == number % 3:
                    services.seal(now=NOW, by=f"sealer {number}")
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    services.seal(now=NOW, by="last")
    assert errors == []
    assert (Event.objects.count(), SealedEvent.objects.count(), UnsealedEvent.objects.count()) == (60, 60, 0)
    assert selectors.verify().is_good


@pytest.mark.django_db
def test_finding_nothing_to_seal_reads_no_events_however_many_there_are():
    """What waits is found through the primary key of the short list, and the events through theirs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_event (at, tenant, actor, action, subject, detail, digest) "
            "SELECT now(), '', 'x', 'bulk', 's', '{}', repeat('0', 64) FROM generate_series(1, 50000)"
        )
        cursor.execute("ANALYZE audit_event, audit_unsealedevent")
    waiting = UnsealedEvent.objects.order_by("event_id").values("event_id")[: services.BATCH_EVENTS_MAX]
    query = Event.objects.filter(id__in=waiting).order_by("id").values_list("id", "digest")
    plan = json.loads(query.explain(format="json", analyze=True))[0]["Plan"]
    nodes = list(_nodes(plan))
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan" and node["Relation Name"] == "audit_event"]
    assert [node["Index Name"] for node in nodes if node.get("Relation Name") == "audit_event"] == ["audit_event_pkey"]
    assert sum(node["Actual Rows"] for node in nodes if node.get("Relation Name") == "audit_event") == 0


def _nodes(plan):
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)
