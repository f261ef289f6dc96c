"""A real worker takes a backup, and its row tells how far it is."""

from __future__ import annotations

import pytest

from apps.backups.models import Backup
from apps.tenants import services as tenants
from tests.integration.jobs.queue_rows import NOW
from tests.integration.tasks import worker_world as world

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_backup_in_a_worker_tells_how_far_it_is(clean_redis, transactional_db, tmp_path):
    world.prepare()
    tenants.ensure_tenant(slug="demo", name="Demo", currency="USDC", by="test", now=NOW)
    with world.worker(tmp_path, BACKUP_DIR=str(tmp_path / "backups")) as running:
        job_id = world.enqueue("tasks.backup.take", kind="daily")
        world.wait_for_end(tell=running.text)
    job = world.job(job_id)
    assert job.state == "done", (job.reason, job.trace)
    assert job.progress_done == job.progress_total == 2 * len(Backup.objects.get(state="done").content)
