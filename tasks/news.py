"""News and posts: each tick has every source of its kind asked, each in its own slots."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.core import clock
from apps.jobs import services as jobs
from apps.jobs.types import NewJob
from apps.news import services as news
from apps.sources.selectors import open_sources
from tasks.base import ACTOR, DeskTask
from tasks.queues import QUEUE_NAMES
from tasks.schedule import NEWS, POSTS


@shared_task(base=DeskTask, name="tasks.news.articles")
def articles(*, sources: str = " ".join(NEWS), **_: Any) -> None:
    """Have these sources, named with spaces between, asked for what was written about what the desk follows."""
    _have_asked(articles_of.name, sources)


@shared_task(base=DeskTask, name="tasks.news.posts")
def posts(*, sources: str = " ".join(POSTS), **_: Any) -> None:
    """Have these sources, named with spaces between, asked for what people posted about what the desk follows."""
    _have_asked(posts_of.name, sources)


@shared_task(base=DeskTask, name="tasks.news.articles_of")
def articles_of(*, source: str, **_: Any) -> None:
    """Read what one source wrote."""
    news.refresh_news(source=source, now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.news.posts_of")
def posts_of(*, source: str, **_: Any) -> None:
    """Read what people posted at one source."""
    news.refresh_posts(source=source, now=clock.now(), by=ACTOR)


def _have_asked(task: str, sources: str) -> None:
    """Write down one job for each of these sources that may be asked and has none waiting."""
    wanted = [
        NewJob(task=task, queue=QUEUE_NAMES.fetch, kwargs={"source": source}, source=source, scope=f"{task} {source}")
        for source in open_sources(sources.split())
    ]
    jobs.enqueue_absent(jobs=wanted, now=clock.now(), by=ACTOR)
