"""How far a job is, written into its row while it runs, for the desk's queue page."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import structlog
from django.db import Error as DatabaseError
from django.db import connection

from apps.core.claims import Claim
from apps.core.progress import Progress, Sparing
from apps.jobs import services

log = structlog.get_logger(__name__)

EVERY_S = 1.0


@contextmanager
def noted(claim: Claim, *, every_s: float = EVERY_S) -> Iterator[Progress]:
    """Yield a progress that is written into the job's row, at most once in `every_s` seconds.

    It writes on a session of its own, in a thread of its own: the work may be inside a transaction, which would keep
    the news to itself until its end, or which may not write at all. A database that is away costs the news alone, and nothing is
    written once somebody else has the job.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="progress") as pool:
        yield Sparing(_Writer(claim, pool), every_s=every_s)


class _Writer:
    """Hands reports to the thread; one that comes while another is being written is left out, the next one tells more."""

    def __init__(self, claim: Claim, pool: ThreadPoolExecutor) -> None:
        self._claim, self._pool = claim, pool
        self._writing: Future[None] | None = None

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        if self._writing is None or self._writing.done():
            self._writing = self._pool.submit(_write, self._claim, done, total, note)


def _write(claim: Claim, done: int, total: int | None, note: str) -> None:
    try:
        services.note_progress(claim=claim, done=done, total=total, note=note)
    except DatabaseError as error:
        log.info("progress_not_noted", job=claim.id, error=type(error).__name__)
    finally:
        connection.close()
