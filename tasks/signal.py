"""Signals: what the models would do."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.core import clock
from apps.signals import services as signals
from tasks.base import ACTOR, DeskTask


@shared_task(base=DeskTask, name="tasks.signal.generate")
def generate(**_: Any) -> None:
    """Turn fresh forecasts into signals behind the gate."""
    signals.generate(now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.signal.expire")
def expire(**_: Any) -> None:
    """Let signals go whose market has closed."""
    signals.expire_stale(now=clock.now(), by=ACTOR)
