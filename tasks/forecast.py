"""Opinions: forecasts that are due, scores of what has been resolved."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.core import clock
from apps.forecasts import services as forecasts
from tasks.base import ACTOR, DeskTask


@shared_task(base=DeskTask, name="tasks.forecast.due")
def due(**_: Any) -> None:
    """Forecast every market whose forecast is due."""
    forecasts.forecast_due(now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.forecast.score")
def score(**_: Any) -> None:
    """Score the forecasts of markets that have been resolved."""
    forecasts.score_resolved(now=clock.now(), by=ACTOR)
