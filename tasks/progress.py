"""How far the present job is: for bodies of tasks whose work takes longer than a second."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from celery import current_app

from apps.core import headers
from apps.core.progress import Progress, unheard
from apps.jobs.progress import noted


def of_this_job() -> AbstractContextManager[Progress]:
    """Return a context whose progress is written into the row of the job that runs; unheard when none does."""
    task = current_app.current_worker_task
    job_id = task.request.get(headers.JOB) if task else None
    return noted(job_id) if job_id else nullcontext(unheard)
