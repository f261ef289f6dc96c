"""Queues by kind of work; no queue is ever a bare string elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, fields

from kombu import Queue


@dataclass(frozen=True, slots=True)
class QueueNames:
    """Each queue has workers of its own, so that the money queue, which is orders and settlement, is never behind anything."""

    fetch: str = "fetch"
    forecast: str = "forecast"
    money: str = "money"
    backup: str = "backup"
    upkeep: str = "upkeep"

    def names(self) -> tuple[str, ...]:
        """Return every queue's name."""
        return tuple(getattr(self, entry.name) for entry in fields(self))

    def as_kombu(self) -> list[Queue]:
        """Return the queues for Celery."""
        return [Queue(name) for name in self.names()]


QUEUE_NAMES = QueueNames()

# Of each queue's lanes the one that is emptied first; kombu keeps a list for each, and calls what tells them apart priority.
FIRST_LANE = -1

ROUTES = {
    "tasks.ingest.*": {"queue": QUEUE_NAMES.fetch},
    "tasks.news.*": {"queue": QUEUE_NAMES.fetch},
    "tasks.forecast.*": {"queue": QUEUE_NAMES.forecast},
    "tasks.signal.*": {"queue": QUEUE_NAMES.forecast},
    "tasks.trade.*": {"queue": QUEUE_NAMES.money},
    "tasks.settle.*": {"queue": QUEUE_NAMES.money},
    "tasks.backup.*": {"queue": QUEUE_NAMES.backup},
    "tasks.upkeep.*": {"queue": QUEUE_NAMES.upkeep},
    "tasks.monitor.*": {"queue": QUEUE_NAMES.upkeep},
    "tasks.jobs.*": {"queue": QUEUE_NAMES.upkeep},
}

# Tasks that ask one source and wait for its pace outside of the workers (`tasks/pacing.py`).
PACED = frozenset(
    {
        "tasks.ingest.catalogue",
        "tasks.ingest.books",
        "tasks.ingest.candles_of",
        "tasks.ingest.odds",
        "tasks.ingest.match_results",
        "tasks.news.articles_of",
        "tasks.news.posts_of",
    }
)
