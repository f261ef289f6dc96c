"""Running checks under one short deadline, so that a dead service costs a health answer at most about two seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import TypeVar

import structlog
from django.db import connection, connections, transaction

from apps.core.clock import monotonic_s
from apps.monitoring.types import Check

log = structlog.get_logger(__name__)

T = TypeVar("T")
Probe = Callable[[], Check]

DEADLINE_S = 1.8
STATEMENT_LIMIT = "1500ms"
# A check that hangs keeps its thread until its own time-out; when all are taken, further checks count as late.
POOL = ThreadPoolExecutor(max_workers=8, thread_name_prefix="probe")


def run_all(probes: Mapping[str, Probe]) -> dict[str, Check]:
    """Run every probe at once and return its check by name; one that raises or is late is unhealthy and says why."""
    ends_s = monotonic_s() + DEADLINE_S
    started = {name: POOL.submit(guarded, name, probe) for name, probe in probes.items()}
    return {name: in_time(future, ends_s) for name, future in started.items()}


def in_time(future: Future[Check], ends_s: float) -> Check:
    """Return the check of `future`, or an unhealthy one when it is late."""
    try:
        return future.result(timeout=max(0.0, ends_s - monotonic_s()))
    except TooLate:
        future.cancel()
        return Check(is_healthy=False, shown={"reason": f"no answer within {DEADLINE_S} s"})


def guarded(name: str, probe: Probe) -> Check:
    """Run one probe; whatever it raises is the finding, named by its class only: messages may hold addresses."""
    try:
        return probe()
    except Exception as error:  # noqa: BLE001  # the very purpose: any failure of a service is a finding, logged and shown
        log.warning("health_check_failed", check=name, error=type(error).__name__, reason=str(error)[:200])
        return Check(is_healthy=False, shown={"reason": type(error).__name__})
    finally:
        connections.close_all()


def with_statement_limit(ask: Callable[[], T]) -> T:
    """Ask the database with a statement time-out of its own."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_LIMIT}'")
        return ask()
