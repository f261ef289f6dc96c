"""What `doctor` looks at: each part of the installation with a plain hint on what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django_redis import get_redis_connection

from apps.backups.postgres_tools import ToolMissing, find_tools
from apps.core.clock import now
from apps.monitoring.database import server_version
from apps.monitoring.queues import may_evict_limits, may_evict_messages

VERSION_MIN = 150_000  # PostgreSQL 15
BACKUP_TOOLS = ("pg_dump", "pg_restore", "initdb", "postgres")
CLOCK_DRIFT_MAX_S = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in one place; `hint` says what to do about it, or what would be better, and is empty when all is well."""

    place: str
    is_good: bool
    found: str
    hint: str = ""


def settings_of_production() -> Finding:
    """Secrets and addresses that a desk on the internet must have."""
    missing = [name for name in ("OPS_TOKEN", "DATABASE_URL", "REDIS_URL") if not getattr(settings, name)]
    is_good = not (settings.IS_PRODUCTION and missing)
    found = f"{settings.ENVIRONMENT}, {'all set' if not missing else 'without ' + ', '.join(missing)}"
    return Finding("settings", is_good, found, "" if is_good else f"set {', '.join(missing)} in the environment")


def postgresql() -> Finding:
    """The server's version."""
    version = server_version()
    is_good = version >= VERSION_MIN
    return Finding("postgresql", is_good, f"version {version // 10_000}", "" if is_good else "upgrade to PostgreSQL 15 or newer")


def migrations() -> Finding:
    """Migrations that were not applied."""
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    hint = "" if not waiting else "run manage.py migrate"
    return Finding("migrations", not waiting, f"{len(waiting)} not applied", hint)


def redis_eviction() -> Finding:
    """The broker must never throw messages away; that it keeps the limits' memory too is better."""
    policy = str(get_redis_connection("strict").info("memory")["maxmemory_policy"])
    is_good, hint = not may_evict_messages(policy), ""
    if not is_good:
        hint = "it evicts waiting messages: set maxmemory-policy noeviction on the broker, or workers and beat will not start"
    elif may_evict_limits(policy):
        hint = "it keeps messages, but may forget limits and breakers when memory is full; noeviction is better"
    return Finding("redis", is_good, f"maxmemory-policy {policy}", hint)


def backup_tools() -> Finding:
    """PostgreSQL's own programs, for backups and their proofs."""
    try:
        folders = sorted({str(find_tools(name).parent) for name in BACKUP_TOOLS})
    except ToolMissing as error:
        return Finding(
            place="backup tools",
            is_good=False,
            found=str(error),
            hint="install PostgreSQL's client and server programs or set PG_BIN_DIR",
        )
    return Finding(place="backup tools", is_good=True, found=", ".join(folders))


def clocks() -> Finding:
    """Our clock against the database's: leases and closes depend on both."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs: datetime = cursor.fetchone()[0]
    drift_s = abs((now() - theirs).total_seconds())
    is_good = drift_s <= CLOCK_DRIFT_MAX_S
    return Finding("clock", is_good, f"{drift_s:.2f} s apart", "" if is_good else "run an NTP client on both machines")


EXAMINATIONS: tuple[Callable[[], Finding], ...] = (
    settings_of_production,
    postgresql,
    migrations,
    redis_eviction,
    backup_tools,
    clocks,
)


def examine() -> list[Finding]:
    """Look everywhere; a place that cannot be looked at is a finding too."""
    return [looked_at(examination) for examination in EXAMINATIONS]


def looked_at(examination: Callable[[], Finding]) -> Finding:
    """Return what one examination found."""
    place = examination.__name__.replace("_", " ")
    try:
        return examination()
    except Exception as error:  # noqa: BLE001  # whatever stops a look is what the operator must be told
        found = (str(error).splitlines() or [type(error).__name__])[0]
        return Finding(
            place=place, is_good=False, found=found, hint="is it running, and does its address in the environment point to it?"
        )
