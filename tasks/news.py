"""News and posts: each tick asks all sources of its kind at once."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from apps.core import clock
from apps.news import services as news
from tasks.base import ACTOR, DeskTask


@shared_task(base=DeskTask, name="tasks.news.articles")
def articles(**_: Any) -> None:
    """Read what was written about what the desk follows."""
    news.refresh_news(now=clock.now(), by=ACTOR)


@shared_task(base=DeskTask, name="tasks.news.posts")
def posts(**_: Any) -> None:
    """Read what people posted about what the desk follows."""
    news.refresh_posts(now=clock.now(), by=ACTOR)
