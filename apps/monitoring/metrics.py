"""What Prometheus reads: counters of this service's processes, and figures of the business asked at scrape time."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import structlog
from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from apps.audit import selectors as audit
from apps.backups import selectors as backups
from apps.core.clock import now
from apps.forecasts import selectors as forecasts
from apps.monitoring import selectors
from apps.monitoring.database import database_figures
from apps.monitoring.probing import ask_all, load_tasks, with_statement_limit
from apps.monitoring.queue_metrics import QUEUE_PARTS
from apps.monitoring.queues import queue_depths
from apps.sources import selectors as sources

log = structlog.get_logger(__name__)

SCRAPE_FAILURES = Counter("business_figures_failures", "Parts of the business figures that could not be read.", ["part"])

BREAKER_STATES = {"closed": 0, "half_open": 1, "open": 2}

Part = Callable[[], Iterable[Metric]]


def exposition() -> bytes:
    """Return everything in the text format of Prometheus."""
    return generate_latest(process_registry()) + generate_latest(business_registry())


def process_registry() -> CollectorRegistry:
    """Return the metrics of processes: of all processes of all services when they share files, else of this one."""
    registry = CollectorRegistry()
    try:
        AllServices(registry)  # type: ignore[no-untyped-call]
    except ValueError:  # PROMETHEUS_MULTIPROC_DIR is not set: one process, one registry
        return REGISTRY
    return registry


def business_registry() -> CollectorRegistry:
    """Return a registry that asks PostgreSQL and Redis when it is read."""
    registry = CollectorRegistry()
    registry.register(BusinessFigures())
    return registry


class AllServices(MultiProcessCollector):
    """Merges the metric files of this service and of its neighbours.

    Each service has a folder of its own, named by its PROCESS_TYPE, beside the others. Workers serve no page, so the
    web process reads theirs too; a folder with another name stands alone.
    """

    def collect(self) -> Iterable[Metric]:
        """Return the merged metrics."""
        merged: Iterable[Metric] = self.merge(metric_files(Path(self._path)), accumulate=True)  # type: ignore[no-untyped-call]
        return merged


def metric_files(folder: Path) -> list[str]:
    """Return the metric files of a service's folder, and of its neighbours when the folder is named by a service."""
    has_neighbours = folder.name == settings.PROCESS_TYPE
    folders = sorted(folder.parent.iterdir()) if has_neighbours else [folder]
    return [str(file) for place in folders if place.is_dir() for file in sorted(place.glob("*_[0-9]*.db"))]


class BusinessFigures(Collector):
    """Figures that live in the services; each part stands alone, so that a dead Redis leaves PostgreSQL's standing."""

    def collect(self) -> Iterator[Metric]:
        """Ask all parts at once, each within the deadline of health checks."""
        load_tasks()
        for name, answer in ask_all({part.__name__: partial(collected, part) for part in PARTS}).items():
            if isinstance(answer, Exception):
                SCRAPE_FAILURES.labels(part=name).inc()
                log.warning("business_figures_failed", part=name, error=type(answer).__name__)
            else:
                yield from answer

    def describe(self) -> list[Metric]:
        """Say nothing beforehand, so that registering asks nobody."""
        return []


def collected(part: Part) -> list[Metric]:
    """Return all that a part tells, asked in the thread that runs this."""
    return list(part())


def queues() -> Iterator[Metric]:
    """Messages waiting in each queue."""
    depth = GaugeMetricFamily("queue_depth", "Messages waiting in a queue.", labels=["queue"])
    for name, waiting in queue_depths().items():
        depth.add_metric([name], waiting)
    yield depth


def connections() -> Iterator[Metric]:
    """Connections to PostgreSQL and the pool of this process."""
    figures = with_statement_limit(database_figures)
    yield gauge("db_active_connections", "Connections that run a statement now.", figures.active)
    yield gauge("db_connections", "Connections to our database.", figures.connections)
    yield gauge("db_pool_usage_percent", "Share of the pool in use.", figures.pool_usage_percent)
    yield gauge("db_pool_waiting_connections", "Requests waiting for a connection of the pool.", figures.pool_waiting)


def failures() -> Iterator[Metric]:
    """Failed executions of tasks and parked work."""
    failed = CounterMetricFamily("task_failures", "Executions of tasks that ended in an error.", labels=["task", "kind"])
    for (task, kind), count in selectors.failures_by_task().items():
        failed.add_metric([task, kind], count)
    yield failed
    yield gauge("dead_letters", "Parked work that waits for a person.", selectors.parked_count())


def ages() -> Iterator[Metric]:
    """How old the newest things are."""
    moment = now()
    freshness = GaugeMetricFamily("source_freshness_seconds", "Seconds since a source last brought something.", labels=["source"])
    for entry in sources.list_freshness(now=moment):
        if entry.age_s is not None:
            freshness.add_metric([entry.slug], entry.age_s)
    yield freshness
    forecast_age_s = forecasts.latest_age_s(now=moment)
    if forecast_age_s is not None:
        yield gauge("forecast_age_seconds", "Age of the newest forecast.", forecast_age_s)
    backup = backups.backups_table().filter(state="done").order_by("-finished_at").values_list("finished_at", flat=True).first()
    if backup is not None:
        yield gauge("backup_age_seconds", "Age of the newest backup.", (moment - backup).total_seconds())


def paced() -> Iterator[Metric]:
    """Work that waits outside the workers for slots of its source."""
    waiting = GaugeMetricFamily("paced_waiting", "Work that waits for slots of a source.", labels=["source"])
    counts: Counted[str] = Counted()
    for line in sources.list_waiting():
        counts[line.source] += line.count
    for source, count in sorted(counts.items()):
        waiting.add_metric([source], count)
    yield waiting


def audit_trail() -> Iterator[Metric]:
    """Events that no seal covers yet."""
    yield gauge("audit_unsealed_events", "Audit events that wait for a seal.", audit.unsealed_count())


def breakers() -> Iterator[Metric]:
    """The breaker of every source, and the pace at which it is asked at most."""
    state = GaugeMetricFamily("circuit_breaker_state", "0 closed, 1 half open, 2 open.", labels=["source"])
    pace = GaugeMetricFamily("pace_per_minute", "Calls a minute that a source's limiter allows now.", labels=["source"])
    for breaker in sources.list_breakers():
        state.add_metric([breaker.slug], BREAKER_STATES[breaker.phase.replace("-", "_")])
        pace.add_metric([breaker.slug], breaker.per_minute)
    yield from (state, pace)


PARTS: tuple[Part, ...] = (queues, connections, failures, ages, audit_trail, breakers, paced, *QUEUE_PARTS)


def gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    """Make a figure without labels."""
    return GaugeMetricFamily(name, meaning, value=value)
