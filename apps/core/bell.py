"""The doorbell: a Celery message that says "there is work in the rows".

Rows are the queue of record. A bell that is lost costs the time to the next look of the caretaker, never data; so a broker
that is down is counted and survived, and so is a bell that cannot be sent at all: the others ring. Bells carry no arguments
of jobs: those are read from the row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from kombu.exceptions import OperationalError
from prometheus_client import Counter

from apps.core import clock, headers

log = structlog.get_logger(__name__)

BELLS_LOST = Counter(
    "bells_lost_total", "Doorbells that could not be rung: the broker was away, or would not have them.", ["task"]
)
EXPIRY_S = 60
# After a bell was lost, others are not tried for so long: a broker that is cut off costs a request one time-out, not
# one for every bell.
QUIET_S = 1.0
BROKER_AWAY = (OperationalError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bell:
    """One message: `job_id` names the row of single work; a batch task's bell names none.

    `source`, `tenant` and `priority` say for whose slot the message of a paced task waits, and in which place. One that
    `goes_first` waits in the lane of its queue that is emptied first: it has waited its turn already.
    """

    task: str
    queue: str | None = None
    job_id: str = ""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    tenant: str = ""
    priority: int = 0
    goes_first: bool = False

    def options(self) -> dict[str, Any]:
        """Build what Celery is told besides the name. What waits for a row does not expire: the row decides."""
        options: dict[str, Any] = {"kwargs": dict(self.kwargs), "retry": False}
        if self.queue is None:
            return options | {"expires": EXPIRY_S}
        told = {
            headers.JOB: self.job_id,
            headers.SOURCE: self.source,
            headers.TENANT: self.tenant,
            headers.PRIORITY: self.priority,
            headers.FIRST: self.goes_first,
        }
        return options | {"queue": self.queue, "headers": {name: value for name, value in told.items() if value}}


@dataclass(slots=True)
class _Silence:
    """Until when (on the monotonic clock) no bell is tried."""

    until_s: float = 0.0


_silence = _Silence()


def ring(task: str, **kwargs: Any) -> None:
    """Send the message for `task` once the present transaction has committed (at once when there is none)."""
    ring_all([Bell(task=task, kwargs=kwargs)])


def ring_job(*, job_id: str, task: str, queue: str) -> None:
    """Send the message that wakes one job, after the commit. Its header `job` names the row; it carries no arguments."""
    ring_all([Bell(task=task, queue=queue, job_id=job_id)])


def ring_batch(*, task: str, queue: str) -> None:
    """Send the message that wakes a batch of the task's rows, after the commit."""
    ring_all([Bell(task=task, queue=queue)])


def ring_all(bells: Sequence[Bell]) -> None:
    """Send many messages over one connection, after the commit; once the broker is away, the rest of them are lost too."""
    if bells:
        transaction.on_commit(partial(_send_all, bells))


def _send_all(bells: Sequence[Bell]) -> None:
    """Send what can be sent. What cannot is counted and told: the work is committed, and its caller hears of no error."""
    waiting, refused = deque(bells), list[Bell]()
    try:
        if clock.monotonic_s() >= _silence.until_s:
            _send_each(waiting, refused)
    except BROKER_AWAY as error:
        _silence.until_s = clock.monotonic_s() + QUIET_S
        log.warning("bell_lost", task=waiting[0].task, error=type(error).__name__)
    except SoftTimeLimitExceeded:
        raise  # the caller's own time is over, whatever it was doing
    except Exception:
        log.exception("bells_not_sent", task=waiting[0].task, bells=len(waiting))
    finally:
        for bell in (*refused, *waiting):
            BELLS_LOST.labels(task=bell.task).inc()


def _send_each(waiting: deque[Bell], refused: list[Bell]) -> None:
    """Move each bell out of `waiting`: it was sent, or it alone cannot be (no such queue, say) and is `refused` now."""
    with current_app.producer_or_acquire() as producer:
        # Left alone, publishing would look for a lost broker again and again for six seconds.
        producer.connection.ensure_connection(max_retries=0)
        while waiting:
            bell = waiting[0]
            try:
                current_app.send_task(bell.task, producer=producer, **bell.options())
            except (*BROKER_AWAY, SoftTimeLimitExceeded):
                raise
            except Exception:
                if not refused:
                    log.exception("bell_refused", task=bell.task, queue=bell.queue, job=bell.job_id)
                refused.append(bell)
            waiting.popleft()
