"""Somebody with full rights over the database edits the log; every edit is found."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.audit import chain, keys, selectors, services
from apps.audit.errors import UnreadableAnchor
from apps.audit.models import Seal, SealedEvent

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
EVENTS = 7
# Column -> the SQL that makes another value of it.
OF_EVENT = {
    "id": "id + 1000000",
    "at": "at + interval '1 microsecond'",
    "tenant": "tenant || 'x'",
    "actor": "'eve'",
    "action": "action || ' '",
    "subject": "reverse(subject) || 'x'",
    "detail": "detail || '{\"n\": 1.0}'",
    "digest": "reverse(digest)",
}
OF_SEAL = {
    "id": "'sel_other'",
    "number": "number + 1000000",
    "sealed_at": "sealed_at + interval '1 microsecond'",
    "event_count": "event_count + 1",
    "first_event_id": "first_event_id - 1",
    "last_event_id": "last_event_id + 1",
    "previous_digest": "repeat('a', 64)",
    "digest": "repeat('b', 64)",
    "signature": "repeat('c', 64)",
}
OF_MEMBER = {"event_id": "event_id + 1000000", "position": "position + 1000", "seal_id": "'sel_other'"}
COLUMNS = (
    [("audit_event", "id", name) for name in OF_EVENT]
    + [("audit_seal", "number", name) for name in OF_SEAL]
    + [("audit_sealedevent", "event_id", name) for name in OF_MEMBER]
)
NEW_VALUES = {"audit_event": OF_EVENT, "audit_seal": OF_SEAL, "audit_sealedevent": OF_MEMBER}


@pytest.fixture
def log(monkeypatch):
    """Give a log of seven events under three seals."""
    monkeypatch.setattr(services, "BATCH_EVENTS_MAX", 3)
    with transaction.atomic():
        for n in range(EVENTS):
            services.record(action="a.b", subject=f"s_{n}", by="ann", now=NOW + timedelta(seconds=n), tenant="t", detail={"n": n})
    services.seal(now=NOW, by="test")
    assert selectors.verify().is_good


def as_superuser(*statements):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        counts = [cursor.execute(statement) or cursor.rowcount for statement in statements]
        cursor.execute("SET LOCAL session_replication_role = origin")
    return [cursor.rowcount if count is None else count for count in counts]


@contextmanager
def undone():
    """Undo at its end what the block did to the database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def verified_after(*statements, anchor=None):
    """Return what verification says about the edited log, and undo the edit."""
    with undone():
        as_superuser(*statements)
        return selectors.verify(anchor=anchor)


def keys_of(table, column):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} ORDER BY {column}")
        return [row[0] for row in cursor.fetchall()]


@hypothesis_settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(edit=st.sampled_from(COLUMNS), which=st.integers(0, EVENTS - 1))
def test_an_edit_of_any_column_of_any_row_is_found(log, edit, which):
    table, key, column = edit
    rows = keys_of(table, key)
    chosen = rows[which % len(rows)]
    found = verified_after(f"UPDATE {table} SET {column} = {NEW_VALUES[table][column]} WHERE {key} = {chosen}")
    assert not found.is_good, edit
    assert found.first_problem == found.problems[0]
    assert selectors.verify().is_good


def test_every_column_of_the_three_tables_is_among_the_edits():
    with connection.cursor() as cursor:
        for table, edits in NEW_VALUES.items():
            columns = {column.name for column in connection.introspection.get_table_description(cursor, table)}
            assert columns == set(edits)


@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(table=st.sampled_from(["audit_event", "audit_sealedevent"]), which=st.integers(0, EVENTS - 1))
def test_a_deleted_event_or_membership_is_found(log, table, which):
    key = {"audit_event": "id", "audit_sealedevent": "event_id"}[table]
    chosen = keys_of(table, key)[which]
    found = verified_after(f"DELETE FROM {table} WHERE {key} = {chosen}")
    assert not found.is_good
    assert any(f"event {chosen}" in problem for problem in found.problems)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_deleted_seal_is_found(log, number):
    assert not verified_after(f"DELETE FROM audit_seal WHERE number = {number}").is_good


def test_an_event_whose_digest_was_computed_anew_is_found(log):
    event_id = keys_of("audit_event", "id")[4]
    forged = chain.event_digest(chain.Deed(NOW + timedelta(seconds=4), "t", "eve", "a.b", "s_4", {"n": 4}))
    found = verified_after(f"UPDATE audit_event SET actor = 'eve', digest = '{forged}' WHERE id = {event_id}")
    assert found.problems == ("seal 2: does not fit its events or its own figures",)


def test_two_events_that_changed_places_are_found(log):
    first, second = keys_of("audit_event", "id")[:2]
    found = verified_after(
        f"UPDATE audit_sealedevent SET position = 99 WHERE event_id = {first}",
        f"UPDATE audit_sealedevent SET position = 0 WHERE event_id = {second}",
        f"UPDATE audit_sealedevent SET position = 1 WHERE event_id = {first}",
    )
    assert not found.is_good


def test_an_event_moved_to_another_seal_is_found(log):
    event_id = keys_of("audit_event", "id")[0]
    other = "(SELECT id FROM audit_seal WHERE number = 3)"
    assert not verified_after(f"UPDATE audit_sealedevent SET seal_id = {other}, position = 1 WHERE event_id = {event_id}").is_good


def test_an_event_smuggled_in_is_found(log):
    digest = chain.event_digest(chain.Deed(NOW, "t", "eve", "a.b", "s_0", {}))
    found = verified_after(
        "INSERT INTO audit_event (at, tenant, actor, action, subject, detail, digest) "
        f"VALUES ('2026-11-22 15:00+00', 't', 'eve', 'a.b', 's_0', '{{}}', '{digest}')"
    )
    assert len(found.problems) == 1
    assert found.problems[0].endswith("lies under no seal and waits for none")


def test_an_event_deleted_before_its_seal_is_found(log):
    with transaction.atomic():
        event_id = services.record(action="a", subject="s", by="ann", now=NOW, detail={})
    found = verified_after(f"DELETE FROM audit_event WHERE id = {event_id}")
    assert found.problems == (f"event {event_id}: deleted before it was sealed",)


CUT_LAST_SEAL = (
    "DELETE FROM audit_event WHERE id IN (SELECT event_id FROM audit_sealedevent m JOIN audit_seal s ON s.id = m.seal_id WHERE number = 3)",
    "DELETE FROM audit_sealedevent WHERE seal_id = (SELECT id FROM audit_seal WHERE number = 3)",
    "DELETE FROM audit_seal WHERE number = 3",
)


def test_a_chain_cut_off_at_its_end_is_found_by_the_anchor(log):
    anchor = selectors.latest_anchor()
    assert verified_after(*CUT_LAST_SEAL).is_good, "without an anchor a shorter chain is a good chain"
    found = verified_after(*CUT_LAST_SEAL, anchor=anchor)
    assert found.problems == ("anchor 3: the chain was cut off, it ends at seal 2",)


def test_a_chain_rewritten_by_somebody_with_the_key_is_found_by_the_anchor(log):
    anchor = selectors.latest_anchor()
    with undone():
        as_superuser(*CUT_LAST_SEAL)
        services.record(action="forged", subject="s", by="eve", now=NOW, detail={})
        services._seal_batch(now=NOW, by="eve")
        assert selectors.verify().is_good
        found = selectors.verify(anchor=anchor)
        assert found.problems == ("anchor 3: the chain was rewritten, that seal is another one now",)


def test_a_seal_made_anew_by_somebody_with_the_key_is_found_by_the_next_seal(log):
    seal = Seal.objects.get(number=2)
    members = list(SealedEvent.objects.filter(seal=seal).order_by("position").values_list("position", "event_id"))
    batch = chain.batch_digest((at, event_id, "e" * 64) for at, event_id in members)
    link = chain.Link(seal.previous_digest, 2, seal.sealed_at, 3, members[0][1], members[-1][1])
    digest = chain.link_digest(link, batch)
    found = verified_after(
        f"UPDATE audit_event SET digest = repeat('e', 64) WHERE id BETWEEN {members[0][1]} AND {members[-1][1]}",
        f"UPDATE audit_seal SET digest = '{digest}', signature = '{chain.sign(digest, keys.signing_key())}' WHERE number = 2",
    )
    assert [problem for problem in found.problems if problem.startswith("seal")] == [
        "seal 3: is not linked to the seal before it"
    ]


def test_a_chain_recomputed_without_the_key_is_found(log, settings):
    settings.AUDIT_SIGNING_KEY = "the attacker's guess"
    found = selectors.verify()
    assert [problem for problem in found.problems if "signature" in problem] == [
        f"seal {number}: signature is not ours" for number in (1, 2, 3)
    ]


def test_an_own_signing_key_replaces_the_derived_one(settings):
    settings.AUDIT_SIGNING_KEY = ""
    derived = keys.signing_key()
    settings.AUDIT_SIGNING_KEY = "own"
    assert keys.signing_key() != derived


def test_the_walk_reads_large_chains_in_batches(log, monkeypatch):
    monkeypatch.setattr("apps.audit.verification.SEALS_PER_READ", 2)
    monkeypatch.setattr("apps.audit.verification.EVENTS_PER_READ", 3)
    found = selectors.verify(anchor=selectors.latest_anchor())
    assert (found.is_good, found.events, found.seals) == (True, EVENTS, 3)


def test_the_problems_stop_at_a_hundred(log, monkeypatch):
    monkeypatch.setattr("apps.audit.verification.PROBLEMS_MAX", 2)
    found = verified_after("UPDATE audit_event SET actor = 'eve'")
    assert (found.is_good, len(found.problems)) == (False, 2)


def test_the_command_says_good_exports_and_holds_against_the_anchor(log, tmp_path, capsys):
    call_command("verify_audit", "--json", "--export", str(tmp_path / "anchor.json"))
    figures = json.loads(capsys.readouterr().out)
    assert (figures["is_good"], figures["events"], figures["seals"], figures["exported"]) == (True, EVENTS, 3, 3)
    call_command("verify_audit", "--anchor", str(tmp_path / "anchor.json"))
    as_superuser(*CUT_LAST_SEAL)
    with pytest.raises(SystemExit) as left:
        call_command("verify_audit", "--anchor", str(tmp_path / "anchor.json"), "--export", str(tmp_path / "new.json"))
    assert left.value.code == 1
    assert not (tmp_path / "new.json").exists()


@pytest.mark.parametrize("content", [None, "no json", "[]", '{"number": 1}'])
def test_an_unreadable_anchor_file_ends_the_command_with_two(tmp_path, content):
    path = tmp_path / "anchor.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit) as left:
        call_command("verify_audit", "--anchor", str(path))
    assert left.value.code == 2


def test_there_is_no_anchor_while_nothing_is_sealed():
    assert selectors.latest_anchor() is None
    with pytest.raises(UnreadableAnchor):
        selectors.verify(anchor={})
