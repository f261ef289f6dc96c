"""Upkeep: seals, partitions, the heartbeat."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.conf import settings

from apps.audit import services as audit
from apps.core import clock
from apps.markets import services as markets
from apps.monitoring import services as monitoring
from apps.sources import services as sources
from tasks.base import ACTOR, DeskTask


@shared_task(base=DeskTask, name="tasks.upkeep.seal")
def seal(**_: Any) -> None:
    """Put committed audit events under a seal."""
    audit.seal(now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.upkeep.partitions")
def partitions(**_: Any) -> None:
    """Make the partitions of the coming days."""
    markets.ensure_partitions(now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.upkeep.heartbeat")
def heartbeat(**_: Any) -> None:
    """Tell the health page that beat and workers are alive."""
    monitoring.beat_heartbeat(now=clock.now())


@shared_task(base=DeskTask, name="tasks.upkeep.forget")
def forget(**_: Any) -> None:
    """Let go of fetch log rows past their keeping."""
    sources.forget_old_fetches(keep_days=settings.FETCH_LOG_KEEP_DAYS, now=clock.now())


@shared_task(base=DeskTask, name="tasks.upkeep.drop_quotes")
def drop_quotes(**_: Any) -> None:
    """Drop the partitions of quotes past their keeping."""
    markets.drop_old_partitions(keep_days=settings.QUOTE_KEEP_DAYS, now=clock.now(), by=ACTOR)
