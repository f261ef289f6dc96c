"""What a worker's main process knows of a message that its child has. A child that died cannot write down why.

The main process has no database session, and must not wait for one: it sends a message, and another child writes.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery import current_app
from celery.exceptions import WorkerLostError
from celery.worker.request import Request
from kombu.exceptions import OperationalError

from apps.core import headers
from tasks.running import owner_of

log = structlog.get_logger(__name__)

LOST_TASK = "tasks.jobs.lost"


class DeskRequest(Request):
    """Tells a job's row of a worker that was killed, by a signal or by its hard time limit, at once and with the reason.

    Without it the caretaker would find out too, when the lease has run out.
    """

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Note a hard time limit; a soft one is raised inside the task."""
        super().on_timeout(soft, timeout)
        if not soft:
            self._tell(f"it ran into its time limit of {timeout:g} s and was killed")

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """Note a lost child."""
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        error = exc_info.exception
        error = getattr(error, "exc", error)  # billiard wraps it with the child's traceback
        if isinstance(error, WorkerLostError):
            self._tell(str(error))

    def _retry_worker_lost(self, exc: Any, exc_info: Any) -> bool:
        """Send the message again, unless rows stand behind it: those come back by themselves, and by their own count."""
        if self.request_dict.get(headers.JOB) or getattr(self.task, "batch_size", 0):
            return False
        return bool(super()._retry_worker_lost(exc, exc_info))  # type: ignore[misc]  # celery-types leaves it out

    def _tell(self, reason: str) -> None:
        job_id = self.request_dict.get(headers.JOB)
        if not job_id:
            return
        said = {"lost_job": job_id, "owner": owner_of(str(self.id), str(self.hostname)), "reason": reason[:200]}
        # To the queue that this worker drains itself: others may be busy for an hour.
        queue = self.delivery_info["routing_key"]
        try:
            current_app.send_task(LOST_TASK, kwargs=said, queue=queue, retry=False, headers={headers.FIRST: True})
        except (OperationalError, OSError) as error:
            log.warning("lost_worker_not_told", job=job_id, error=type(error).__name__)
