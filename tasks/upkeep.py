"""Upkeep: seals, partitions, the heartbeat."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.audit import services as audit
from apps.core import clock
from apps.markets import services as markets
from apps.monitoring import services as monitoring
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
