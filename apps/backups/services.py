"""Taking backups, proving them by restoring them, and letting old ones go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db import connection

from apps.audit import services as audit
from apps.backups import retention, tools, vault
from apps.backups.content import differences, read_content, row_count
from apps.backups.embedded import EmbeddedError, ToolMissing, scratch_server
from apps.backups.errors import CannotProve, DumpFailed, NoSuchBackup, UnknownKind
from apps.backups.models import Backup, Restore
from apps.backups.presenting import view_of_backup, view_of_restore
from apps.backups.snapshot import snapshot
from apps.backups.types import BackupView, RestoreView
from apps.core import clock
from apps.core.db import durable, let_go, transaction
from apps.core.progress import Progress, stage, unheard
from apps.core.sections import SectionLost, only_one_asking

log = structlog.get_logger(__name__)

ERROR_LENGTH_MAX = 500
DIFFERENCES_MAX = 100


@durable
def take(*, kind: str, now: datetime, by: str, progress: Progress = unheard) -> BackupView:
    """Dump the database into BACKUP_DIR and register the file with its checksum and content.

    A failure is registered too: the view then has the state `failed` and the reason in `error`, and no file is left. While
    pg_dump works, no session but its own is held. Raises UnknownKind, the database's error when the server stays away, and
    SectionLost when another process took this one for dead.
    """
    if kind not in retention.KINDS:
        raise UnknownKind(f"no backup is of the kind {kind!r}", field="kind")
    began_s = clock.monotonic_s()
    backup = Backup(kind=kind, state="running", started_at=now)
    path = Path(settings.BACKUP_DIR).absolute() / f"{kind}-{now:%Y%m%dT%H%M%SZ}-{backup.id}.dump"
    backup.path = str(path)
    with only_one_asking(_section_of(backup.id)):
        _fail_interrupted(now=now, by=by)
        backup.save(force_insert=True)
        let_go()
        try:
            figures = _dump_to(path, progress)
        except (DumpFailed, ToolMissing, OSError, psycopg.Error) as error:
            figures = {"error": _first_line(error), "path": ""}
        try:
            _end(backup, figures, now=now, finished_at=_moment_after(now, began_s), by=by)
        except SectionLost:
            path.unlink(missing_ok=True)  # its line has been ended by another process, as an interrupted one
            raise
    return view_of_backup(backup)


@durable
def verify(*, backup_id: str | None = None, now: datetime, by: str, progress: Progress = unheard) -> RestoreView:
    """Restore a backup (the newest complete one when none is named) into a scratch server and compare every table.

    What was found is stored, good or bad. Raises NoSuchBackup, and CannotProve when no scratch server can be had.
    """
    began_s = clock.monotonic_s()
    complete = Backup.objects.filter(state="done")
    backup = (complete.filter(id=backup_id) if backup_id else complete.order_by("-started_at", "-id")).first()
    if backup is None:
        raise NoSuchBackup(f"no complete backup {backup_id}" if backup_id else "there is no complete backup yet")
    let_go()
    damage = _damage_of_file(backup)
    content, found = ({}, [damage]) if damage else _restored(backup, progress)
    restore = Restore(
        backup=backup,
        is_good=not found,
        tables_compared=len(content),
        rows_compared=row_count(content),
        differences=found[:DIFFERENCES_MAX],
        started_at=now,
        finished_at=_moment_after(now, began_s),
    )
    _keep_proof(restore, now=now, by=by)
    return view_of_restore(restore)


@durable
def prune(*, now: datetime, by: str) -> int:
    """Remove the files past their keeping and return how many; their lines stay in the registry.

    What interrupted backups left behind goes too, uncounted.
    """
    proved = set(Restore.objects.filter(is_good=True).values_list("backup_id", flat=True))
    complete = {backup.id: backup for backup in Backup.objects.filter(state="done")}
    candidates = [
        retention.Candidate(backup.id, backup.kind, backup.started_at, backup.id in proved) for backup in complete.values()
    ]
    _fail_interrupted(now=now, by=by)
    removed = retention.past_keeping(candidates)
    for backup_id in removed:
        Path(complete[backup_id].path).unlink(missing_ok=True)
        _register_removal(complete[backup_id], now=now, by=by)
    return len(removed)


def _dump_to(path: Path, progress: Progress) -> dict[str, Any]:
    """Dump and read the content in one snapshot, so that what is registered is what is in the file."""
    reading, dumping, number = stage(progress, 1, 2), stage(progress, 2, 2), count(1)
    parameters = connection.get_connection_params()
    with vault.complete_or_absent(path) as file, snapshot(parameters) as seen:
        content = read_content(seen.session.cursor(), reading)

        def tell(name: str) -> None:
            dumping(next(number), len(content), f"dumping {name}")

        tools.dump(parameters, seen.name, file, on_start=seen.end, on_table=tell)
    size_bytes, digest = path.stat().st_size, vault.checksum(path)
    return {"content": content, "server_version": seen.server_version, "size_bytes": size_bytes, "checksum": digest}


@transaction
def _end(backup: Backup, figures: Mapping[str, Any], *, now: datetime, finished_at: datetime, by: str) -> None:
    backup.state, backup.finished_at = "failed" if "error" in figures else "done", finished_at
    for name, value in figures.items():
        setattr(backup, name, value)
    backup.save()
    detail = {"kind": backup.kind, "size_bytes": backup.size_bytes, "checksum": backup.checksum, "error": backup.error}
    action = "backup.taken" if backup.state == "done" else "backup.failed"
    audit.record(action=action, subject=backup.id, by=by, now=now, detail=detail)
    (log.info if backup.state == "done" else log.error)(action, backup=backup.id, error=backup.error)


def _fail_interrupted(*, now: datetime, by: str) -> None:
    """End the lines of processes that died while they dumped, and remove their unfinished files.

    A finished file stays: a database that was restored from a dump finds that very dump "running" in its registry.
    """
    for backup in Backup.objects.filter(state="running"):
        with only_one_asking(_section_of(backup.id)) as is_orphan:
            if is_orphan:
                vault.partial_of(Path(backup.path)).unlink(missing_ok=True)
                _end(backup, {"error": "the process that took it was interrupted"}, now=now, finished_at=now, by=by)


def _damage_of_file(backup: Backup) -> str | None:
    path = Path(backup.path)
    try:
        size_bytes, digest = path.stat().st_size, vault.checksum(path)
    except OSError as error:
        return f"file {path.name} cannot be read: {error.strerror}"
    if size_bytes != backup.size_bytes:
        return f"file {path.name} has {size_bytes} bytes, {backup.size_bytes} were written"
    if digest != backup.checksum:
        return f"file {path.name} has another checksum than when it was written"
    return None


def _restored(backup: Backup, progress: Progress) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Restore into a scratch server and return what it holds and how that differs from what was dumped."""
    restoring, reading, number = stage(progress, 1, 2), stage(progress, 2, 2), count(1)
    tables = len(backup.content)
    try:
        with scratch_server() as server:
            path = Path(backup.path)
            tools.restore(server.dsn, path, on_table=lambda name: restoring(next(number), tables, f"restoring {name}"))
            with psycopg.connect(server.dsn) as session, session.cursor() as cursor:
                content = read_content(cursor, reading)
    except DumpFailed as error:
        if "No space left" in str(error):
            raise CannotProve(f"no room for the restore: {error}") from error
        return {}, [f"the file cannot be restored: {error}"]
    except (EmbeddedError, ToolMissing, OSError, psycopg.Error) as error:
        raise CannotProve(f"no scratch server for the restore: {_first_line(error)}") from error
    return content, list(differences(backup.content, content))


@transaction
def _keep_proof(restore: Restore, *, now: datetime, by: str) -> None:
    restore.save(force_insert=True)
    detail = {"is_good": restore.is_good, "tables": restore.tables_compared, "rows": restore.rows_compared}
    shown = {"restore": restore.id, "differences": restore.differences[:5]}
    audit.record(action="backup.verified", subject=restore.backup_id, by=by, now=now, detail=detail | shown)
    (log.info if restore.is_good else log.error)("backup_verified", backup=restore.backup_id, **detail)


@transaction
def _register_removal(backup: Backup, *, now: datetime, by: str) -> None:
    if Backup.objects.filter(id=backup.id, state="done").update(state="removed") == 1:
        audit.record(action="backup.removed", subject=backup.id, by=by, now=now, detail={"kind": backup.kind})


def _section_of(backup_id: str) -> str:
    return f"backups.{backup_id}"


def _moment_after(now: datetime, began_s: float) -> datetime:
    return now + timedelta(seconds=clock.monotonic_s() - began_s)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:ERROR_LENGTH_MAX]
