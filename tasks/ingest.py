"""Fetching and storing: each tick reads one window of the world."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.core import clock
from apps.jobs import services as jobs
from apps.jobs.types import NewJob
from apps.markets import services as markets
from tasks.base import ACTOR, DeskTask
from tasks.queues import QUEUE_NAMES


@shared_task(base=DeskTask, name="tasks.ingest.catalogue")
def catalogue(*, source: str, **_: Any) -> None:
    """List the markets of a source and look after those on the watch-list."""
    markets.refresh_catalogue(source=source, now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.ingest.books")
def books(*, source: str, **_: Any) -> None:
    """Read the order books of all watched outcomes."""
    markets.refresh_books(source=source, now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.ingest.candles")
def candles(*, source: str, symbols: str, **_: Any) -> None:
    """Have the bars of a source's instruments read, named with spaces between: each in its own slot of the source."""
    wanted = [
        NewJob(
            task=candles_of.name,
            queue=QUEUE_NAMES.fetch,
            kwargs={"source": source, "symbol": symbol},
            source=source,
            scope=f"{candles_of.name} {source} {symbol}",
        )
        for symbol in symbols.split()
    ]
    jobs.enqueue_absent(jobs=wanted, now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.ingest.candles_of")
def candles_of(*, source: str, symbol: str, **_: Any) -> None:
    """Read the bars of one instrument."""
    markets.refresh_candles(source=source, symbol=symbol, now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.ingest.odds")
def odds(*, source: str, **_: Any) -> None:
    """Read what bookmakers offer."""
    markets.refresh_odds(source=source, now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.ingest.match_results")
def match_results(*, source: str, **_: Any) -> None:
    """Read how matches ended, and resolve their markets."""
    markets.refresh_match_results(source=source, now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.ingest.roll")
def roll(**_: Any) -> None:
    """Make the next horizon and threshold markets on the instruments."""
    markets.roll_markets(now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.ingest.resolve_rolled")
def resolve_rolled(**_: Any) -> None:
    """Write the results of rolled markets whose closing bar is known."""
    markets.resolve_rolled(now=clock.now(), by=ACTOR)
