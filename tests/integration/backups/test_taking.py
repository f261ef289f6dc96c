"""Taking backups."""

import json
import stat
import threading
from datetime import timedelta
from pathlib import Path
from time import sleep

import psycopg
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, transaction

from apps.audit.selectors import events_table
from apps.backups import selectors, services, tools, vault
from apps.backups.content import read_content
from apps.backups.errors import UnknownKind
from apps.backups.models import Backup
from apps.backups.postgres_tools import ToolMissing, find_tools
from apps.core.db import InsideTransaction
from apps.core.models import Section
from apps.core.sections import SectionLost, only_one_asking
from apps.tenants.models import Tenant
from tests.addresses import database_address
from tests.integration.backups.conftest import NOW


def program(folder, name, text):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def files(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_backup_is_a_private_file_with_checksum_and_content(desk):
    backup = services.take(kind="daily", now=NOW, by="ann")
    path = Path(backup.path)
    assert (backup.state, backup.kind, backup.error, backup.is_done) == ("done", "daily", "", True)
    assert path == desk / f"daily-20261122T150000Z-{backup.id}.dump"
    assert files(desk) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (backup.size_bytes, backup.checksum) == (path.stat().st_size, vault.checksum(path))
    assert path.read_bytes()[:5] == b"PGDMP"
    content = Backup.objects.get(id=backup.id).content
    assert content["tenants_tenant"]["rows"] == 2
    assert content["audit_event"]["rows"] == 0
    assert (backup.tables, backup.rows) == (len(content), sum(table["rows"] for table in content.values()))
    assert backup.server_version.split(".")[0].isdigit()
    assert backup.finished_at is not None
    assert NOW < backup.finished_at < NOW + timedelta(minutes=1)


def test_a_backup_is_told_to_the_audit_log(desk):
    backup = services.take(kind="weekly", now=NOW, by="ann")
    (event,) = events_table()
    assert (event["action"], event["subject"], event["actor"]) == ("backup.taken", backup.id, "ann")
    assert event["detail"] == {"kind": "weekly", "size_bytes": backup.size_bytes, "checksum": backup.checksum, "error": ""}


def test_every_partition_counts_under_its_own_name(desk):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE parted (day int, n int) PARTITION BY LIST (day)")
        cursor.execute("CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1)")
        cursor.execute('CREATE TABLE "Odd ""name" PARTITION OF parted FOR VALUES IN (2)')
        cursor.execute("CREATE SCHEMA aside CREATE TABLE t (whole int)")
        cursor.execute("INSERT INTO parted SELECT 1 + n % 2, n FROM generate_series(1, 5) n")
    try:
        content = Backup.objects.get(id=services.take(kind="daily", now=NOW, by="ann").id).content
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE parted; DROP SCHEMA aside CASCADE")
    assert "parted" not in content
    assert [content[name]["rows"] for name in ("parted_1", 'Odd "name', "aside.t")] == [2, 3, 0]


def test_the_digest_follows_the_rows_and_not_their_order(desk):
    def digest():
        with transaction.atomic(), connection.cursor() as cursor:
            return read_content(cursor)["tenants_tenant"]["digest"]

    before = digest()
    bob = Tenant.objects.get(slug="bob")
    Tenant.objects.filter(id=bob.id).update(name="Robert")
    changed = digest()
    Tenant.objects.filter(id=bob.id).update(name="Bob")  # the row now lies elsewhere in the table
    assert digest() == before != changed


def test_an_unknown_kind_is_refused(desk):
    with pytest.raises(UnknownKind):
        services.take(kind="yearly", now=NOW, by="ann")
    assert (Backup.objects.count(), files(desk)) == (0, [])


def test_a_backup_inside_a_transaction_is_refused(desk):
    with transaction.atomic(), pytest.raises(InsideTransaction):
        services.take(kind="daily", now=NOW, by="ann")
    assert (Backup.objects.count(), files(desk)) == (0, [])


def failed(backup, folder, reason):
    row = Backup.objects.get(id=backup.id)
    assert (backup.state, row.state, row.path, row.checksum, row.content) == ("failed", "failed", "", "", {})
    assert reason in row.error
    assert files(folder) == []
    assert events_table()[0]["action"] == "backup.failed"
    assert selectors.latest_backup() is None


def test_a_missing_program_is_a_registered_failure(desk, monkeypatch):
    def nowhere(name):
        raise ToolMissing(f"{name} was not found: set PG_BIN_DIR")

    monkeypatch.setattr(tools, "find_tools", nowhere)
    failed(services.take(kind="daily", now=NOW, by="ann"), desk, "pg_dump was not found: set PG_BIN_DIR")


def test_a_server_that_cannot_be_reached_by_the_program_is_a_registered_failure(desk, monkeypatch):
    monkeypatch.setattr(tools, "environment_of", lambda parameters: {"PGHOST": "127.0.0.1", "PGPORT": "1"})
    failed(services.take(kind="daily", now=NOW, by="ann"), desk, "pg_dump: error: connection to server")


def test_a_full_disk_is_a_registered_failure(desk, monkeypatch, tmp_path):
    """The limit on the size of files makes the real program fail in the middle of its writing, as a full disk does."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE large AS SELECT md5(n::text) || md5((-n)::text) AS noise FROM generate_series(1, 20000) n")
    program(tmp_path / "bin", "pg_dump", f'trap "" XFSZ; ulimit -f 200; exec "{find_tools("pg_dump")}" "$@"')
    monkeypatch.setenv("PG_BIN_DIR", str(tmp_path / "bin"))
    try:
        backup = services.take(kind="daily", now=NOW, by="ann")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE large")
    failed(backup, desk, "could not write to output file: File too large")


def test_a_folder_that_cannot_be_made_is_a_registered_failure(desk, settings, tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings.BACKUP_DIR = str(tmp_path / "file" / "vault")
    failed(services.take(kind="daily", now=NOW, by="ann"), desk, "Not a directory")


def test_a_session_that_breaks_before_its_snapshot_was_taken_over_is_a_registered_failure(desk, monkeypatch, tmp_path):
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    cut += f"AND application_name = '{tools.APPLICATION}' AND pid <> pg_backend_pid()"
    psql = f'"{find_tools("psql")}" -qAt -c "{cut}" >&2'
    program(tmp_path / "bin", "pg_dump", f'{psql}; exec "{find_tools("pg_dump")}" "$@"')
    monkeypatch.setenv("PG_BIN_DIR", str(tmp_path / "bin"))
    failed(services.take(kind="daily", now=NOW, by="ann"), desk, "snapshot")


def test_while_the_program_works_no_session_of_ours_is_open(desk, monkeypatch, tmp_path):
    """The program's end is drawn out, so that there is time to look."""
    has_dumped, may_end = tmp_path / "dumped", tmp_path / "end"
    wait = f'touch "{has_dumped}"; while [ ! -e "{may_end}" ]; do sleep 0.05; done; exit $code'
    program(tmp_path / "bin", "pg_dump", f'"{find_tools("pg_dump")}" "$@"; code=$?; {wait}')
    monkeypatch.setenv("PG_BIN_DIR", str(tmp_path / "bin"))
    seen: list[list[str]] = []

    def look():
        with psycopg.connect(database_address(), autocommit=True, application_name="onlooker") as session:
            while not has_dumped.exists():
                sleep(0.02)
            # The program has gone, the server may need a moment for its session, and we for the line that it said.
            names = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
            for _ in range(100):
                seen.append([name for (name,) in session.execute(names, [session.info.backend_pid])])
                if not seen[-1]:
                    break
                sleep(0.05)
        may_end.touch()

    onlooker = threading.Thread(target=look)
    onlooker.start()
    assert services.take(kind="daily", now=NOW, by="ann").is_done
    onlooker.join(20)
    assert seen[-1] == [], seen[-1]


def test_who_was_taken_for_dead_registers_nothing_and_leaves_no_file(desk):
    def lose(done, total=None, note=""):
        if "dumping" in note:
            Section.objects.filter(name__startswith="backups.").update(holder="the successor")

    with pytest.raises(SectionLost):
        services.take(kind="daily", now=NOW, by="ann", progress=lose)
    assert (Backup.objects.get().state, files(desk), events_table().count()) == ("running", [], 0)


def test_a_server_that_stays_away_raises_its_error_and_the_next_backup_tells_of_it(desk, monkeypatch):
    def away(*args, **_):
        monkeypatch.setitem(connection.settings_dict, "PORT", "1")
        connection.close()
        raise psycopg.OperationalError("the server went away")

    monkeypatch.setattr(tools, "dump", away)
    with pytest.raises(OperationalError):
        services.take(kind="daily", now=NOW, by="ann")
    monkeypatch.undo()
    connection.close()
    assert Backup.objects.get().state == "running"
    Section.objects.update(until=NOW)  # the lease of the one who is gone runs out
    assert services.take(kind="daily", now=NOW, by="ann").is_done
    assert sorted(Backup.objects.values_list("state", "error")) == [
        ("done", ""),
        ("failed", "the process that took it was interrupted"),
    ]


def test_what_a_dead_process_left_behind_is_cleared_by_the_next_backup(desk):
    desk.mkdir()
    dead = Backup.objects.create(kind="daily", state="running", started_at=NOW, path=str(desk / "old.dump"))
    vault.partial_of(desk / "old.dump").write_bytes(b"half")
    (desk / "old.dump").write_bytes(b"complete, as after a restore of the database from it")
    backup = services.take(kind="daily", now=NOW + timedelta(hours=1), by="ann")
    dead.refresh_from_db()
    assert (dead.state, dead.error, dead.finished_at) == (
        "failed",
        "the process that took it was interrupted",
        NOW + timedelta(hours=1),
    )
    assert files(desk) == sorted([Path(backup.path).name, "old.dump"])


def test_a_backup_that_somebody_is_taking_is_left_alone(desk):
    theirs = Backup.objects.create(kind="daily", state="running", started_at=NOW, path=str(desk / "theirs.dump"))
    is_held, may_end = threading.Event(), threading.Event()

    def hold():
        with only_one_asking(f"backups.{theirs.id}"):
            is_held.set()
            may_end.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(10)
    assert services.take(kind="daily", now=NOW, by="ann").is_done
    may_end.set()
    thread.join(10)
    theirs.refresh_from_db()
    assert theirs.state == "running"


def test_the_registry_can_be_read(desk):
    daily = services.take(kind="daily", now=NOW, by="ann")
    weekly = services.take(kind="weekly", now=NOW + timedelta(hours=1), by="ann")
    assert selectors.latest_backup() == weekly
    assert selectors.latest_backup("daily") == daily
    assert selectors.latest_backup("monthly") is None
    assert selectors.ages_s(now=NOW + timedelta(hours=2)) == {"daily": 7200.0, "weekly": 3600.0}
    assert [row["id"] for row in selectors.backups_table()] == [weekly.id, daily.id]
    assert (selectors.latest_restore(), selectors.proof_age_s(now=NOW), list(selectors.restores_table())) == (None, None, [])


def test_the_command_takes_a_backup(desk, capsys, monkeypatch, tmp_path):
    call_command("backup", "--kind", "monthly", "--json")
    figures = json.loads(capsys.readouterr().out)
    assert (figures["kind"], figures["state"], files(desk)) == ("monthly", "done", [Path(figures["path"]).name])
    program(tmp_path / "bin", "pg_dump", "exit 1")
    monkeypatch.setenv("PG_BIN_DIR", str(tmp_path / "bin"))
    with pytest.raises(SystemExit) as left:
        call_command("backup")
    assert left.value.code == 1


def test_pruning_removes_the_files_past_their_keeping(desk):
    desk.mkdir()
    for number in range(9):
        path = desk / f"{number}.dump"
        path.write_bytes(b"x")
        started = NOW + timedelta(days=number)
        Backup.objects.create(kind="daily", state="done", started_at=started, finished_at=started, path=str(path), checksum="c")
    Backup.objects.create(kind="daily", state="failed", started_at=NOW, finished_at=NOW)
    (desk / "1.dump").unlink()
    assert services.prune(now=NOW, by="ann") == 2
    assert files(desk) == [f"{number}.dump" for number in range(2, 9)]
    assert Backup.objects.filter(state="removed").count() == 2
    assert [event["action"] for event in events_table()] == ["backup.removed"] * 2
    assert services.prune(now=NOW, by="ann") == 0


def test_pruning_clears_what_an_interrupted_backup_left_behind(desk):
    desk.mkdir()
    dead = Backup.objects.create(kind="daily", state="running", started_at=NOW, path=str(desk / "old.dump"))
    vault.partial_of(desk / "old.dump").write_bytes(b"half")
    assert services.prune(now=NOW + timedelta(hours=1), by="ann") == 0
    dead.refresh_from_db()
    assert (dead.state, files(desk)) == ("failed", [])
