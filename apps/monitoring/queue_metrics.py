"""Figures of the queue for Prometheus: rows, waits, and how the schedules do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from prometheus_client.core import GaugeMetricFamily, Metric

from apps.core.clock import now
from apps.jobs import selectors as jobs

PERIOD = timedelta(minutes=10)


def job_rows() -> Iterator[Metric]:
    """Rows that are not ended, and how long the one that was due first has waited."""
    rows = GaugeMetricFamily("jobs", "Jobs by queue and state; later: their time has not come.", labels=["queue", "state"])
    oldest = GaugeMetricFamily("jobs_oldest_wait_seconds", "How long the job due first has waited.", labels=["queue"])
    for queue, depth in jobs.queue_depths(now=now()).items():
        counts = {"queued": depth.waiting, "later": depth.later, "running": depth.running, "parked": depth.parked}
        for state, count in counts.items():
            rows.add_metric([queue, state], count)
        oldest.add_metric([queue], depth.oldest_wait_s or 0.0)
    yield from (rows, oldest)


def job_times() -> Iterator[Metric]:
    """Waits and runs of what was done in the last ten minutes, as quantiles."""
    waits = GaugeMetricFamily("job_wait_seconds", "From due to begun, of jobs done lately.", labels=["queue", "quantile"])
    runs = GaugeMetricFamily("job_run_seconds", "From begun to done, of jobs done lately.", labels=["queue", "quantile"])
    for queue, times in jobs.queue_times(since=now() - PERIOD).items():
        for family, by_quantile in ((waits, times.wait_s), (runs, times.run_s)):
            for quantile, value_s in by_quantile.items():
                family.add_metric([queue, str(quantile)], value_s)
    yield from (waits, runs)


def schedules() -> Iterator[Metric]:
    """How late each schedule's latest job began, and how long ago one succeeded."""
    late = GaugeMetricFamily("schedule_lateness_seconds", "From the slot to the begin of the latest job.", labels=["schedule"])
    age = GaugeMetricFamily("schedule_success_age_seconds", "Since a job of the schedule succeeded.", labels=["schedule"])
    overdue = GaugeMetricFamily("schedule_overdue", "1 when it has not succeeded for too long.", labels=["schedule"])
    for standing in jobs.schedule_standings(now=now(), next_runs=0):
        if standing.last_lateness_s is not None:
            late.add_metric([standing.name], standing.last_lateness_s)
        if standing.success_age_s is not None:
            age.add_metric([standing.name], standing.success_age_s)
        overdue.add_metric([standing.name], float(standing.is_overdue))
    yield from (late, age, overdue)


QUEUE_PARTS = (job_rows, job_times, schedules)
