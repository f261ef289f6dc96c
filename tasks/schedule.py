"""The whole day on one page.

Intervals are for real vendors. The recorded world runs faster than life: entries that follow the world are divided by
SCHEDULE_SPEED, down to one second. `prepare_desk` writes this page into django-celery-beat's tables, where staff edit it.
Each nominal time of an entry becomes one job, of which one runs at a time (`tasks/beat.py`, docs/schedules.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.queues import QUEUE_NAMES

SHORTEST_S = 1.0
NEWS, POSTS = ("newsapi", "google_news", "finnhub"), ("reddit", "twitter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A task that comes again every `every_s` seconds; `follows_world` says that the world's speed divides it.

    It rests while none of the sources that it `asks` is on.
    """

    name: str
    task: str
    queue: str
    every_s: float
    follows_world: bool = True
    kwargs: Mapping[str, str] = field(default_factory=dict)
    asks: tuple[str, ...] = ()

    def seconds(self, speed: float) -> float:
        """Return the interval at this speed of the world."""
        return max(SHORTEST_S, self.every_s / speed) if self.follows_world else self.every_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily:
    """A task at a fixed time of day (UTC), on one day of the week or month when given. `asks` is as for intervals."""

    name: str
    task: str
    queue: str
    hour: int
    minute: int
    day_of_week: str = "*"
    day_of_month: str = "*"
    kwargs: Mapping[str, str] = field(default_factory=dict)
    asks: tuple[str, ...] = ()


Symbols = Mapping[str, tuple[str, ...]]  # the instruments that the desk follows, by source


def windows(symbols: Symbols) -> tuple[Interval, ...]:
    """Return the ticks that ask the world; one for the candles of all instruments of a source."""
    return (
        _ask("catalogue", "polymarket_gamma", every_s=60, name="catalogue"),
        _ask("books", "polymarket_clob", every_s=15, name="books"),
        _ask("catalogue", "kalshi", every_s=900),
        _ask("books", "kalshi", every_s=60),
        _ask("catalogue", "manifold", every_s=300),
        _ask("odds", "goalserve", every_s=300),
        _ask("match_results", "goalserve", every_s=600),
        _ask_all("news", "tasks.news.articles", NEWS, every_s=1800),
        _ask_all("posts", "tasks.news.posts", POSTS, every_s=600),
        *(_ask("candles", source, every_s=300, symbols=" ".join(named)) for source, named in symbols.items()),
    )


def _ask(kind: str, source: str, *, every_s: float, name: str = "", **more: str) -> Interval:
    return Interval(
        name=name or f"{kind.replace('_', ' ')} of {source}",
        task=f"tasks.ingest.{kind}",
        queue=QUEUE_NAMES.fetch,
        every_s=every_s,
        kwargs={"source": source, **more},
        asks=(source,),
    )


def _ask_all(name: str, task: str, sources: tuple[str, ...], *, every_s: float) -> Interval:
    """Return a tick that asks several sources at once; its arguments name them for whoever wants to ring it for one."""
    kwargs = {"sources": " ".join(sources)}
    return Interval(name=name, task=task, queue=QUEUE_NAMES.fetch, every_s=every_s, kwargs=kwargs, asks=sources)


def intervals(symbols: Symbols) -> tuple[Interval, ...]:
    """Return the ticks of the day."""
    fetch, forecast, money, upkeep = QUEUE_NAMES.fetch, QUEUE_NAMES.forecast, QUEUE_NAMES.money, QUEUE_NAMES.upkeep
    return (
        *windows(symbols),
        Interval(name="roll markets", task="tasks.ingest.roll", queue=fetch, every_s=300),
        Interval(name="resolve rolled markets", task="tasks.ingest.resolve_rolled", queue=fetch, every_s=120),
        Interval(name="forecasts due", task="tasks.forecast.due", queue=forecast, every_s=60),
        Interval(name="scores", task="tasks.forecast.score", queue=forecast, every_s=300),
        Interval(name="signals", task="tasks.signal.generate", queue=forecast, every_s=60),
        Interval(name="expired signals", task="tasks.signal.expire", queue=forecast, every_s=300),
        Interval(name="take signals", task="tasks.trade.take", queue=money, every_s=15),
        Interval(name="work orders", task="tasks.trade.work", queue=money, every_s=5),
        Interval(name="reconcile orders", task="tasks.trade.reconcile", queue=money, every_s=60),
        Interval(name="settle", task="tasks.settle.due", queue=money, every_s=60),
        Interval(name="seal audit", task="tasks.upkeep.seal", queue=upkeep, every_s=30, follows_world=False),
        Interval(name="partitions", task="tasks.upkeep.partitions", queue=upkeep, every_s=3600, follows_world=False),
        Interval(name="old jobs", task="tasks.jobs.forget", queue=upkeep, every_s=3600, follows_world=False),
        Interval(name="heartbeat", task="tasks.upkeep.heartbeat", queue=upkeep, every_s=10, follows_world=False),
    )


DAILY = (
    # The files of football-data.co.uk change a few times a week.
    Daily(
        name="odds of football_data",
        task="tasks.ingest.odds",
        queue=QUEUE_NAMES.fetch,
        hour=6,
        minute=10,
        kwargs={"source": "football_data"},
        asks=("football_data",),
    ),
    Daily(
        name="match results of football_data",
        task="tasks.ingest.match_results",
        queue=QUEUE_NAMES.fetch,
        hour=6,
        minute=20,
        kwargs={"source": "football_data"},
        asks=("football_data",),
    ),
    Daily(name="daily backup", task="tasks.backup.take", queue=QUEUE_NAMES.backup, hour=2, minute=30, kwargs={"kind": "daily"}),
    Daily(name="verify backup", task="tasks.backup.verify", queue=QUEUE_NAMES.backup, hour=3, minute=0),
    Daily(
        name="weekly backup",
        task="tasks.backup.take",
        queue=QUEUE_NAMES.backup,
        hour=3,
        minute=30,
        day_of_week="0",
        kwargs={"kind": "weekly"},
    ),
    Daily(
        name="monthly backup",
        task="tasks.backup.take",
        queue=QUEUE_NAMES.backup,
        hour=4,
        minute=0,
        day_of_month="1",
        kwargs={"kind": "monthly"},
    ),
    Daily(name="old quotes", task="tasks.upkeep.drop_quotes", queue=QUEUE_NAMES.upkeep, hour=5, minute=0),
    Daily(name="old fetches", task="tasks.upkeep.forget", queue=QUEUE_NAMES.upkeep, hour=4, minute=45),
    Daily(name="prune backups", task="tasks.backup.prune", queue=QUEUE_NAMES.backup, hour=4, minute=30),
)
