"""Orders: signals become orders, orders meet the venue, unknown ones are reconciled."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.core import clock
from apps.trading import services as trading
from tasks.base import ACTOR, DeskTask


@shared_task(base=DeskTask, name="tasks.trade.take")
def take(**_: Any) -> None:
    """Turn new signals into orders, as far as risk allows."""
    trading.take_signals(now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.trade.work", bind=True)
def work(self: DeskTask, /, **_: Any) -> None:
    """Send the orders that are due and book their fills."""
    trading.work_due(now=clock.now(), by=ACTOR, owner=str(self.request.id))


@shared_task(base=DeskTask, name="tasks.trade.reconcile")
def reconcile(**_: Any) -> None:
    """Ask the venue about orders whose outcome is unknown."""
    trading.reconcile(now=clock.now(), by=ACTOR)
