"""Proving backups by restoring them into a scratch server."""

import json
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from apps.audit.selectors import events_table
from apps.backups import embedded, selectors, services, tools, vault
from apps.backups.embedded import EmbeddedError
from apps.backups.errors import CannotProve, DumpFailed, NoSuchBackup
from apps.backups.models import Backup, Restore
from apps.tenants.models import Tenant
from tests.integration.backups.conftest import NOW


@pytest.fixture
def servers(monkeypatch):
    """Collect the scratch servers that are started; at the end each is gone with its folder."""
    started = []
    scratch_server = embedded.scratch_server

    @contextmanager
    def recorded():
        with scratch_server() as server:
            assert server.process is not None
            started.append((server, server.home, server.process.pid))
            yield server

    monkeypatch.setattr(services, "scratch_server", recorded)
    yield started
    for server, home, pid in started:
        assert (server.process, home.exists(), server.directory.exists(), Path(f"/proc/{pid}").exists()) == (
            None,
            False,
            False,
            False,
        )


def exchange_file(backup, other):
    """Let the registry believe that `other`'s file is the one of `backup`."""
    row = Backup.objects.get(id=other.id)
    Backup.objects.filter(id=backup.id).update(path=row.path, size_bytes=row.size_bytes, checksum=row.checksum)


def test_a_good_backup_is_proved(desk, servers):
    backup = services.take(kind="daily", now=NOW, by="ann")
    proof = services.verify(now=NOW + timedelta(minutes=1), by="bob")
    assert (proof.is_good, proof.differences, proof.backup_id) == (True, (), backup.id)
    assert (proof.tables_compared, proof.rows_compared) == (backup.tables, backup.rows)
    assert len(servers) == 1
    assert proof.finished_at > NOW + timedelta(minutes=1)
    assert selectors.latest_restore() == proof
    assert selectors.proof_age_s(now=proof.finished_at + timedelta(seconds=5)) == 5.0
    assert [row["id"] for row in selectors.restores_table()] == [proof.id]
    event = events_table()[0]
    assert (event["action"], event["subject"], event["actor"]) == ("backup.verified", backup.id, "bob")


def test_rows_that_come_while_the_dump_runs_are_in_neither_count(desk, servers, monkeypatch):
    dump = tools.dump

    def dump_after_a_newcomer(*what, **hearers):
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO tenants_tenant (id, slug, name, currency, is_active, created_at) "
                "VALUES ('tnt_new', 'carol', 'Carol', 'USDC', true, now())"
            )
        other.close()
        dump(*what, **hearers)

    monkeypatch.setattr(tools, "dump", dump_after_a_newcomer)
    backup = services.take(kind="daily", now=NOW, by="ann")
    assert (Tenant.objects.count(), Backup.objects.get(id=backup.id).content["tenants_tenant"]["rows"]) == (3, 2)
    assert services.verify(now=NOW, by="ann").differences == ()


def test_a_dump_that_lost_rows_is_refuted(desk, servers):
    full = services.take(kind="daily", now=NOW, by="ann")
    Tenant.objects.get(slug="bob").delete()
    exchange_file(full, services.take(kind="daily", now=NOW, by="ann"))
    proof = services.verify(backup_id=full.id, now=NOW, by="ann")
    assert not proof.is_good
    assert "tenants_tenant: 1 rows, 2 were dumped" in proof.differences
    assert selectors.proof_age_s(now=NOW) is None


def test_a_dump_whose_rows_changed_is_refuted(desk, servers):
    first = services.take(kind="daily", now=NOW, by="ann")
    Tenant.objects.filter(slug="bob").update(name="Robert")
    exchange_file(first, services.take(kind="daily", now=NOW, by="ann"))
    proof = services.verify(backup_id=first.id, now=NOW, by="ann")
    assert "tenants_tenant: the rows have another content than those dumped" in proof.differences


@pytest.mark.parametrize(
    ("damage", "difference"),
    [
        (lambda data: data[:-100], "bytes, "),
        (lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:], "another checksum"),
        (lambda data: b"", "has 0 bytes"),
    ],
)
def test_a_damaged_file_is_refuted_without_a_restore(desk, servers, damage, difference):
    path = Path(services.take(kind="daily", now=NOW, by="ann").path)
    path.write_bytes(damage(path.read_bytes()))
    proof = services.verify(now=NOW, by="ann")
    assert (proof.is_good, proof.tables_compared, len(proof.differences)) == (False, 0, 1)
    assert difference in proof.differences[0]
    assert servers == []


def test_a_missing_file_is_refuted(desk, servers):
    Path(services.take(kind="daily", now=NOW, by="ann").path).unlink()
    proof = services.verify(now=NOW, by="ann")
    assert not proof.is_good
    assert proof.differences[0].endswith("cannot be read: No such file or directory")
    assert servers == []


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"not a dump"])
def test_a_file_damaged_before_its_checksum_was_taken_is_refuted_by_the_restore(desk, servers, damage):
    backup = services.take(kind="daily", now=NOW, by="ann")
    path = Path(backup.path)
    path.write_bytes(damage(path.read_bytes()))
    Backup.objects.filter(id=backup.id).update(checksum=vault.checksum(path), size_bytes=path.stat().st_size)
    proof = services.verify(now=NOW, by="ann")
    assert (proof.is_good, len(servers)) == (False, 1)
    assert proof.differences[0].startswith("the file cannot be restored: pg_restore: ")


def test_what_does_not_exist_cannot_be_proved(desk):
    with pytest.raises(NoSuchBackup):
        services.verify(now=NOW, by="ann")
    failed = Backup.objects.create(kind="daily", state="failed", started_at=NOW, finished_at=NOW)
    with pytest.raises(NoSuchBackup):
        services.verify(backup_id=failed.id, now=NOW, by="ann")
    assert Restore.objects.count() == 0


def test_without_a_scratch_server_nothing_is_said(desk, monkeypatch):
    services.take(kind="daily", now=NOW, by="ann")

    @contextmanager
    def no_server():
        raise EmbeddedError("PostgreSQL did not start: no memory")
        yield

    monkeypatch.setattr(services, "scratch_server", no_server)
    with pytest.raises(CannotProve, match="no memory"):
        services.verify(now=NOW, by="ann")
    assert Restore.objects.count() == 0
    with pytest.raises(SystemExit) as left:
        call_command("verify_backup")
    assert left.value.code == 2


def test_no_room_for_the_restore_is_no_verdict_on_the_backup(desk, servers, monkeypatch):
    services.take(kind="daily", now=NOW, by="ann")

    def full(dsn, path, **_):
        raise DumpFailed("pg_restore: error: could not extend file: No space left on device")

    monkeypatch.setattr(tools, "restore", full)
    with pytest.raises(CannotProve):
        services.verify(now=NOW, by="ann")
    assert (Restore.objects.count(), len(servers)) == (0, 1)


def test_progress_goes_through_both_halves_of_a_backup_and_of_its_proof(desk, servers):
    told: dict[str, list[tuple[int, int, str]]] = {"take": [], "verify": []}
    backup = services.take(kind="daily", now=NOW, by="ann", progress=lambda *report: told["take"].append(report))
    services.verify(now=NOW, by="ann", progress=lambda *report: told["verify"].append(report))
    for reports, words in ((told["take"], ("reading ", "dumping ")), (told["verify"], ("restoring ", "reading "))):
        assert {total for _, total, _ in reports} == {2 * backup.tables}
        assert [done for done, _, _ in reports] == sorted(done for done, _, _ in reports)
        assert reports[-1][0] == 2 * backup.tables
        notes = [note for _, _, note in reports if note]
        assert [sum(note.startswith(word) for note in notes) for word in words] == [backup.tables, backup.tables]


def test_the_command_proves_the_newest_or_the_named_backup(desk, servers, capsys):
    first = services.take(kind="daily", now=NOW, by="ann")
    second = services.take(kind="daily", now=NOW + timedelta(seconds=1), by="ann")
    call_command("verify_backup", "--json")
    assert json.loads(capsys.readouterr().out)["backup_id"] == second.id
    Path(first.path).write_bytes(b"gone bad")
    with pytest.raises(SystemExit) as left:
        call_command("verify_backup", first.id)
    assert left.value.code == 1
    with pytest.raises(SystemExit) as left:
        call_command("verify_backup", "bkp_none")
    assert left.value.code == 2
