"""A real worker takes a backup that lasts: while pg_dump works, the worker has sessions of PostgreSQL for moments only."""

from __future__ import annotations

import time
from collections import defaultdict

import pytest

from apps.backups.models import Backup
from apps.backups.postgres_tools import find_tools
from apps.core.models import Section
from tests.integration.tasks import worker_world as world

pytestmark = pytest.mark.django_db(transaction=True)
SESSIONS = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'bellwether-worker'
"""
LEASES = "SELECT 'job', lease_until FROM jobs_job UNION ALL SELECT 'section', until FROM core_section ORDER BY 1"
DUMPING_S, MOMENT_S = 12.0, 1.0


def test_a_backup_keeps_its_leases_and_no_session(clean_redis, transactional_db, tmp_path):
    world.prepare()
    has_dumped, bin_folder = tmp_path / "dumped", tmp_path / "bin"
    bin_folder.mkdir()
    program = bin_folder / "pg_dump"
    program.write_text(
        f'#!/bin/sh\n"{find_tools("pg_dump")}" "$@"; code=$?; touch "{has_dumped}"; sleep {DUMPING_S}; exit $code\n'
    )
    program.chmod(0o755)
    with world.worker(tmp_path, BACKUP_DIR=str(tmp_path / "backups"), PG_BIN_DIR=str(bin_folder)) as worker:
        job_id = world.enqueue("tasks.backup.take", kind="daily")
        world.wait_until(has_dumped.exists, 60, worker.text)
        before = world.query(LEASES)
        seen, together = defaultdict(list), []
        until_s = time.monotonic() + DUMPING_S - 2
        while time.monotonic() < until_s:
            pids = [pid for (pid,) in world.query(SESSIONS)]
            together.append(len(pids))
            for pid in pids:
                seen[pid].append(time.monotonic())
            time.sleep(0.05)
        after = world.query(LEASES)
        world.wait_for_end(tell=worker.text)
    held_s = [times[-1] - times[0] for times in seen.values()]
    assert max(held_s, default=0.0) < MOMENT_S, "no session is held through the dump"
    assert max(together) <= 2, "one renews leases, one notes progress"
    assert [name for name, _ in before] == [name for name, _ in after] == ["job", "section"]
    assert all(earlier < later for (_, earlier), (_, later) in zip(before, after, strict=True)), "both leases were renewed"
    assert (world.job(job_id).state, world.job(job_id).attempts) == ("done", 1)
    assert (Backup.objects.get().state, Section.objects.count()) == ("done", 0)
