"""Running checks under one short deadline, so that a dead service costs a health answer at most about two seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from functools import cache
from typing import TypeVar

import structlog
from celery import current_app
from django.db import connection, connections, transaction

from apps.core.clock import monotonic_s
from apps.monitoring.types import Check

log = structlog.get_logger(__name__)

T = TypeVar("T")
Probe = Callable[[], Check]

DEADLINE_S = 1.8
STATEMENT_LIMIT = "1500ms"
# What hangs keeps its thread until its own time-out; when all are taken, further questions count as late.
POOL = ThreadPoolExecutor(max_workers=16, thread_name_prefix="probe")


@cache
def load_tasks() -> None:
    """Import the modules of the tasks, by whose names schedules are judged, unless this process has done so.

    That is a quarter of a second of work in a new web process: most of what the first health answer takes. Called before
    the questions, it does not count against their deadline.
    """
    current_app.loader.import_default_modules()


def run_all(probes: Mapping[str, Probe]) -> dict[str, Check]:
    """Run every probe at once and return its check by name; one that raises or is late is unhealthy and says why."""
    return {name: judged(name, answer) for name, answer in ask_all(probes).items()}


def judged(name: str, answer: Check | Exception) -> Check:
    """Return the check; what a probe raised is named by its class only, because messages may hold addresses."""
    if isinstance(answer, Check):
        return answer
    is_late = isinstance(answer, TooLate)
    log.warning("health_check_failed", check=name, error=type(answer).__name__, reason=str(answer)[:200])
    return Check(is_healthy=False, shown={"reason": f"no answer within {DEADLINE_S} s" if is_late else type(answer).__name__})


def ask_all(questions: Mapping[str, Callable[[], T]]) -> dict[str, T | Exception]:
    """Ask everything at once and return each answer, or what was raised, or TimeoutError for what was late."""
    ends_s = monotonic_s() + DEADLINE_S
    asked = {name: POOL.submit(with_own_connections, question) for name, question in questions.items()}
    return {name: answer_in_time(future, ends_s) for name, future in asked.items()}  # type: ignore[arg-type]  # mypy reads the union back into the question


def answer_in_time(future: Future[T], ends_s: float) -> T | Exception:
    """Return the answer, or the error in its place."""
    try:
        return future.result(timeout=max(0.0, ends_s - monotonic_s()))
    except Exception as error:  # noqa: BLE001  # the very purpose: any failure of a service is a finding for the caller
        future.cancel()
        return error


def with_own_connections(question: Callable[[], T]) -> T:
    """Ask in this thread and give its database connections back."""
    try:
        return question()
    finally:
        connections.close_all()


def with_statement_limit(ask: Callable[[], T]) -> T:
    """Ask the database with a statement time-out of its own."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_LIMIT}'")
        return ask()
