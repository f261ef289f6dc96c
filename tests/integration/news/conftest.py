"""The scripted vendor of the sources' tests, with a key for everybody and answers by source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from apps.resilience.testing import no_waiting
from apps.sources import http, registry
from tests.factories.articles import NOW, newsapi_page, reddit_listing, rss, tweets
from tests.integration.sources.upstream import Answer, Question, Upstream

EMPTY = {"newsapi": newsapi_page(), "google_news": rss(), "finnhub": [], "reddit": reddit_listing(), "twitter": tweets()}


class Press(Upstream):
    """Answers for each source what it is told to; nothing new where it is told nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.says_by_source: dict[str, Any] = {}
        self.script = self.answer

    def answer(self, question: Question) -> Answer:
        slug = question.path.split("/")[1]
        told = self.says_by_source.get(slug, EMPTY.get(slug))
        told = told(question) if callable(told) else told
        return told if isinstance(told, Answer) else Answer(told if isinstance(told, bytes) else json.dumps(told).encode())

    def asked(self, slug: str) -> list[Question]:
        return [question for question in self.questions if question.path.startswith(f"/{slug}/")]


@pytest.fixture
def press(settings, monkeypatch) -> Iterator[Press]:
    upstream = Press()
    urls = {slug: f"{upstream.url}/{slug}" for slug in registry.slugs()}
    settings.VENDORS = {
        slug: {"base_url": url, "api_key": f"key-of-{slug}", "rate_per_minute": 6_000} for slug, url in urls.items()
    }
    settings.SOURCES_ON = ()
    for slug in ("newsapi", "google_news", "finnhub", "reddit", "twitter", "openai"):
        http.reset(slug)
    # The answers come when the test's story takes place, whatever day it is outside.
    monkeypatch.setattr("apps.resilience.clock.SystemClock.now_s", lambda self: NOW.timestamp())
    with no_waiting():
        yield upstream
    http.shut_down()
    upstream.close()
