"""Backups and their proofs."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.backups import services as backups
from apps.backups.errors import BadBackup, DumpFailed
from apps.core import clock
from tasks.base import ACTOR, DeskTask
from tasks.progress import of_this_job

# A dump and a restore of a big database take longer than any other task.
TIME_LIMIT_S = 3600


@shared_task(base=DeskTask, name="tasks.backup.take", time_limit=TIME_LIMIT_S, soft_time_limit=TIME_LIMIT_S - 60)
def take(*, kind: str, **_: Any) -> None:
    """Take a backup; one that failed is a failed task too, so that it is seen."""
    with of_this_job() as progress:
        made = backups.take(kind=kind, now=clock.now(), by=ACTOR, progress=progress)
    if not made.is_done:
        raise DumpFailed(made.error)


@shared_task(base=DeskTask, name="tasks.backup.verify", time_limit=TIME_LIMIT_S, soft_time_limit=TIME_LIMIT_S - 60)
def verify(**_: Any) -> None:
    """Prove the newest backup by restoring it; a backup that proves bad is loud."""
    with of_this_job() as progress:
        proof = backups.verify(now=clock.now(), by=ACTOR, progress=progress)
    if not proof.is_good:
        raise BadBackup("; ".join(proof.differences))


@shared_task(base=DeskTask, name="tasks.backup.prune")
def prune(**_: Any) -> None:
    """Remove backups past their keeping."""
    backups.prune(now=clock.now(), by=ACTOR)
