"""Settlement: outcomes become money."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.core import clock
from apps.settlement import services as settlement
from tasks.base import ACTOR, DeskTask


@shared_task(base=DeskTask, name="tasks.settle.due")
def due(**_: Any) -> None:
    """Settle every market whose result is known."""
    settlement.settle_due(now=clock.now(), by=ACTOR)
