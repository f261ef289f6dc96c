"""News from all sources at once, over real HTTP, into the store."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command

from apps.audit.models import Event
from apps.jobs.models import Job
from apps.news import services
from apps.news.models import Article, ArticleLink, ArticleSighting
from apps.sources import services as sources
from apps.sources.errors import BadAnswer
from apps.sources.models import FetchLog, Quarantine
from tasks import news as ticks
from tests.factories.articles import (
    NOW,
    finnhub_item,
    newsapi_article,
    newsapi_page,
    reddit_listing,
    reddit_post,
    rss,
    rss_item,
    tweet,
    tweets,
)
from tests.integration.sources.upstream import Answer

pytestmark = pytest.mark.django_db
BY = "test"


def refresh():
    return services.refresh_news(now=NOW, by=BY)


def parts_of(counts):
    return {part.source: (part.state, part.brought) for part in counts.parts}


def test_three_sources_are_asked_at_once_and_the_same_news_becomes_one_article(press):
    press.says_by_source = {
        "newsapi": newsapi_page(newsapi_article()),
        "google_news": rss(rss_item()),
        "finnhub": lambda question: [finnhub_item()] if "category" in dict(question.query) else [],
    }
    counts = refresh()
    assert parts_of(counts) == {"newsapi": ("answered", 1), "google_news": ("answered", 1), "finnhub": ("answered", 1)}
    assert (counts.seen, counts.stored, counts.seen_again, counts.known, counts.rejected) == (3, 2, 1, 0, 0)
    assert set(Article.objects.values_list("title", "publisher")) == {
        ("Bitcoin climbs past $150,000 for the first time", "Reuters"),
        ("Apple unveils new chips", "CNBC"),
    }
    bitcoin = Article.objects.get(title__startswith="Bitcoin")
    assert list(bitcoin.sightings.values_list("source", flat=True)) == ["newsapi", "google_news"]
    assert {(log.source_id, log.operation, log.outcome, log.records) for log in FetchLog.objects.all()} == {
        ("newsapi", "articles", "ok", 1),
        ("google_news", "articles", "ok", 1),
        ("finnhub", "articles", "ok", 1),
    }


def test_what_comes_again_changes_nothing(press):
    press.says_by_source = {"newsapi": newsapi_page(newsapi_article()), "google_news": rss(rss_item())}
    refresh()
    again = refresh()
    assert (again.seen, again.stored, again.seen_again, again.known) == (2, 0, 0, 2)
    assert (Article.objects.count(), ArticleSighting.objects.count()) == (1, 2)
    assert Event.objects.filter(action="articles.stored").count() == 1


def test_one_audit_event_tells_of_the_batch(press):
    press.says_by_source = {"newsapi": newsapi_page(newsapi_article()), "finnhub": [finnhub_item()]}
    refresh()
    event = Event.objects.get(action="articles.stored")
    assert (event.detail["stored"], event.detail["seen_again"]) == (2, 0)
    assert len(event.detail["digest"]) == 64


def test_a_source_that_fails_costs_the_others_nothing_and_is_named(press):
    press.says_by_source = {
        "newsapi": Answer(b'{"status":"error","code":"apiKeyInvalid","message":"no"}', status=401),
        "google_news": rss(rss_item()),
        "finnhub": Answer(b"<html>down</html>", status=503),
    }
    counts = refresh()
    assert parts_of(counts) == {"newsapi": ("failed", 0), "google_news": ("answered", 1), "finnhub": ("failed", 0)}
    reasons = {part.source: part.reason for part in counts.parts}
    assert reasons["newsapi"].startswith("vendor-refused: newsapi refuses us (HTTP 401)")
    assert reasons["finnhub"].startswith("vendor-away")
    assert Article.objects.count() == 1
    assert set(FetchLog.objects.values_list("source_id", flat=True)) == {"newsapi", "google_news", "finnhub"}


def test_when_all_fail_nothing_is_stored_and_each_says_why(press):
    press.says_by_source = dict.fromkeys(("newsapi", "google_news", "finnhub"), b"not what was asked for")
    counts = refresh()
    assert set(parts_of(counts).values()) == {("failed", 0)}
    assert (Article.objects.count(), Event.objects.filter(action="articles.stored").count()) == (0, 0)
    assert set(Quarantine.objects.values_list("source_id", flat=True)) == {"newsapi", "google_news", "finnhub"}


def test_a_source_that_is_off_or_paused_is_not_asked_and_says_so(press, settings):
    settings.VENDORS["newsapi"]["api_key"] = ""
    sources.ensure_sources(now=NOW, by=BY)
    sources.pause(source="finnhub", reason="too dear", now=NOW, by=BY)
    counts = refresh()
    assert parts_of(counts) == {"newsapi": ("not asked", 0), "google_news": ("answered", 0), "finnhub": ("not asked", 0)}
    reasons = {part.source: part.reason for part in counts.parts}
    assert "NEWSAPI_API_KEY" in reasons["newsapi"]
    assert reasons["finnhub"] == "finnhub is paused: too dear"
    assert (press.asked("newsapi"), press.asked("finnhub")) == ([], [])


def test_a_broken_feed_is_told_loudly_and_costs_the_others_nothing(press, monkeypatch):
    monkeypatch.setattr("apps.sources.vendors.newsapi.feed.joined", lambda *args, **more: 1 / 0)
    press.says_by_source = {"google_news": rss(rss_item())}
    counts = refresh()
    assert parts_of(counts)["newsapi"] == ("failed", 0)
    assert FetchLog.objects.get(source_id="newsapi").outcome == "broken"
    assert Article.objects.count() == 1


def test_unbelievable_articles_are_quarantined_and_the_rest_is_stored(press):
    future = newsapi_article(url="https://a.example/1", publishedAt="2026-06-08T12:11:00Z")
    old = newsapi_article(url="https://a.example/2", publishedAt="2026-05-01T00:00:00Z")
    removed = newsapi_article(url="https://removed.com", title="[Removed]")
    bare = newsapi_article(url="https://a.example/3", title="<b> </b>")
    script = newsapi_article(url="javascript:alert(1)")
    press.says_by_source = {"newsapi": newsapi_page(future, old, removed, bare, script, newsapi_article())}
    counts = refresh()
    assert (counts.stored, counts.rejected) == (1, 5)
    assert set(Quarantine.objects.values_list("reason", flat=True)) == {
        "published_at is in the future",
        "published_at is more than 31 days ago",
        "the article was removed by its publisher",
        "title is empty",
        "url is not a link",
    }


def test_a_vendors_clock_that_runs_ahead_a_little_is_capped(press):
    press.says_by_source = {"newsapi": newsapi_page(newsapi_article(publishedAt="2026-06-08T12:09:00Z"))}
    refresh()
    assert Article.objects.get().published_at == NOW


def test_posts_come_from_their_own_sources_with_their_scores(press):
    press.says_by_source = {"reddit": reddit_listing(reddit_post()), "twitter": tweets(tweet())}
    counts = services.refresh_posts(now=NOW, by=BY)
    assert parts_of(counts) == {"reddit": ("answered", 1), "twitter": ("answered", 1)}
    assert set(Article.objects.values_list("kind", "source", "publisher", "score")) == {
        ("post", "reddit", "r/CryptoCurrency", 42),
        ("post", "twitter", "@jane", 7),
    }
    assert press.asked("newsapi") == []


def test_the_score_of_a_known_post_is_renewed(press):
    press.says_by_source = {"reddit": reddit_listing(reddit_post())}
    services.refresh_posts(now=NOW, by=BY)
    press.says_by_source = {"reddit": reddit_listing(reddit_post(score=99))}
    counts = services.refresh_posts(now=NOW + timedelta(minutes=5), by=BY)
    assert (counts.stored, counts.known, counts.rescored) == (0, 1, 1)
    assert Article.objects.get().score == 99


def test_equal_posts_of_two_people_stay_two(press):
    press.says_by_source = {"twitter": tweets(tweet(), tweet(id="1799400000000000001"))}
    assert services.refresh_posts(now=NOW, by=BY).stored == 2


def test_keys_go_where_each_vendor_wants_them(press):
    services.refresh_news(now=NOW, by=BY)
    services.refresh_posts(now=NOW, by=BY)
    heads = {slug: press.asked(slug)[0].headers for slug in ("newsapi", "finnhub", "twitter", "reddit")}
    assert heads["newsapi"]["X-Api-Key"] == "key-of-newsapi"
    assert heads["finnhub"]["X-Finnhub-Token"] == "key-of-finnhub"
    assert heads["twitter"]["Authorization"] == "Bearer key-of-twitter"
    assert heads["reddit"]["Authorization"] == "bearer key-of-reddit"
    assert heads["reddit"]["User-Agent"].startswith("python:bellwether:")


def test_all_rows_of_a_link_go_with_their_article(press):
    press.says_by_source = {"newsapi": newsapi_page(newsapi_article())}
    refresh()
    Article.objects.all().delete()
    assert (ArticleSighting.objects.count(), ArticleLink.objects.count()) == (0, 0)


@pytest.mark.parametrize("slug", ["newsapi", "google_news", "reddit", "twitter"])
def test_one_source_can_be_fetched_by_hand(press, slug, capsys):
    press.says_by_source = {
        "newsapi": newsapi_page(newsapi_article()),
        "google_news": rss(rss_item()),
        "reddit": reddit_listing(reddit_post()),
        "twitter": tweets(tweet()),
    }
    call_command("fetch", slug, "--json")
    assert '"operation": "articles"' in capsys.readouterr().out
    assert (FetchLog.objects.get().records, Article.objects.count()) == (1, 0)


@pytest.mark.parametrize("slug", ["newsapi", "google_news", "reddit", "twitter", "openai"])
def test_each_vendor_checks_itself(press, slug):
    press.says_by_source = {
        "newsapi": newsapi_page(newsapi_article()),
        "google_news": rss(rss_item()),
        "reddit": reddit_listing(reddit_post()),
        "twitter": tweets(tweet()),
        "openai": {"object": "list", "data": [{"id": "gpt-4o-mini"}]},
    }
    assert sources.self_check(source=slug, now=NOW, by=BY).is_good
    press.says_by_source = {slug: Answer(b"<html></html>", status=403)}
    assert not sources.self_check(source=slug, now=NOW, by=BY).is_good


def test_a_wall_under_200_is_not_kept_in_place_of_the_next_true_answer(press):
    ask: dict[str, Any] = {"source": "google_news", "keys": ["bitcoin"], "now": NOW, "by": BY}
    press.says_by_source = {"google_news": Answer(b"<html>Just a moment...</html>", status=200)}
    with pytest.raises(BadAnswer):
        sources.fetch_articles_of(**ask)
    press.says_by_source = {"google_news": rss(rss_item())}
    assert len(sources.fetch_articles_of(**ask).records) == 1
    assert len(sources.fetch_articles_of(**ask).records) == 1
    assert len(press.asked("google_news")) == 2, "the true answer is kept"


def test_a_wall_behind_a_true_answer_is_not_kept_either(press):
    walls = [Answer(b"<html>Just a moment...</html>", status=200)]
    press.says_by_source = {
        "google_news": lambda question: walls.pop() if "two" in dict(question.query)["q"] and walls else rss(rss_item())
    }
    ask: dict[str, Any] = {"source": "google_news", "keys": ["one " + "x" * 380, "two " + "y" * 380], "now": NOW, "by": BY}
    first = sources.fetch_articles_of(**ask)
    assert (len(first.records), first.stale, Quarantine.objects.count()) == (1, True, 1)
    assert not sources.fetch_articles_of(**ask).stale


def test_the_ticks_of_the_schedule_have_each_open_source_asked_by_a_job_of_its_own(press, monkeypatch):
    monkeypatch.setattr("apps.core.clock.now", lambda: NOW)
    press.says_by_source = {"google_news": rss(rss_item()), "reddit": reddit_listing(reddit_post())}
    sources.ensure_sources(by=BY, now=NOW)
    sources.pause(source="newsapi", reason="too dear", by=BY, now=NOW)
    for _ in range(2):
        ticks.articles()
        ticks.posts(sources="reddit twitter")
    wanted = [("tasks.news.articles_of", "finnhub"), ("tasks.news.articles_of", "google_news")]
    wanted += [("tasks.news.posts_of", "reddit"), ("tasks.news.posts_of", "twitter")]
    assert sorted(Job.objects.values_list("task", "source")) == wanted, "each once, though the ticks came twice"
    assert set(Job.objects.values_list("state", "queue")) == {("queued", "fetch")}
    for job in Job.objects.filter(task__endswith="articles_of"):
        ticks.articles_of(**job.kwargs)
    assert [len(press.asked(slug)) for slug in ("newsapi", "google_news", "finnhub", "reddit")] == [0, 1, 4, 0]
    assert list(Article.objects.values_list("kind", flat=True)) == ["news"]
    ticks.posts_of(source="reddit")
    assert set(Article.objects.values_list("kind", flat=True)) == {"news", "post"}
