"""How far the present job is: for bodies of tasks whose work takes longer than a second."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from apps.core.progress import Progress, unheard
from apps.jobs.progress import noted
from tasks.running import present_job


def of_this_job() -> AbstractContextManager[Progress]:
    """Return a context whose progress is written into the row of the job that runs; unheard when none does."""
    job = present_job()
    return noted(job) if job else nullcontext(unheard)
