"""Errands: work with many calls that is broken off to wait for its slots, and goes on where it was."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings

from apps.core.sections import only_one_asking
from apps.jobs.errors import Unfinished
from apps.resilience import PaceExceeded, allowing
from apps.sources import http, services
from apps.sources.errors import BadAnswer, VendorAway
from apps.sources.models import ErrandPart, FetchLog, Quarantine, Source
from tests.factories.articles import newsapi_page
from tests.factories.football_data import file
from tests.factories.prediction_wires import kalshi_book
from tests.factories.wires import gamma_market
from tests.integration.sources.conftest import NOW
from tests.integration.sources.upstream import Answer, Question

pytestmark = pytest.mark.django_db
GAMMA, KALSHI, SEASONS = "polymarket_gamma", "kalshi", "football_data"
PAGES = 5


def page(question: Question) -> Answer:
    """One market a page; the cursor is the number of the page."""
    number = int(dict(question.query).get("after_cursor", "0"))
    row = gamma_market(conditionId=f"0x{number:064x}", clobTokenIds=json.dumps([f"{number}1", f"{number}2"]))
    more = {"next_cursor": str(number + 1)} if number + 1 < PAGES else {}
    return Answer(json.dumps({"markets": [row], **more}).encode())


@pytest.fixture
def slow(vendor, settings, clean_redis):
    """A vendor that gives one slot a second."""
    for slug in (GAMMA, KALSHI, SEASONS, "newsapi"):
        settings.VENDORS[slug]["rate_per_minute"] = 60
    vendor.script = page
    return vendor


def free_slots(source: str) -> None:
    """Forget the slots that were taken, as if time had passed, and nothing else of what the kit keeps in Redis."""
    http.shut_down()
    with redis.Redis.from_url(settings.KIT_REDIS_URL) as kit:
        assert kit.delete(*kit.keys(f"*{{{source}}}:pace"), "nothing") <= 1


def in_worker(work: Any, *, at=NOW, name="markets of gamma", source=GAMMA) -> Any:
    """Run a part of an errand as a worker does whose message has waited for its slot."""
    free_slots(source)
    with allowing(wait_s_max=2.0):
        return services.run_errand(name=name, work=work, idle="another is at it", now=at)


def markets(at=NOW):
    return services.fetch_markets(source=GAMMA, now=at, by="test")


def cursors(vendor) -> list[str]:
    return [dict(question.query).get("after_cursor", "0") for question in vendor.questions]


def test_each_call_is_made_once_in_a_part_of_its_own_and_the_whole_is_as_if_it_were_one(slow):
    for number in range(PAGES - 1):
        with pytest.raises(Unfinished):
            in_worker(markets)
        assert len(slow.questions) == ErrandPart.objects.count() == number + 1
    batch = in_worker(markets)
    assert cursors(slow) == ["0", "1", "2", "3", "4"]
    assert (len(batch.records), batch.stale, ErrandPart.objects.count()) == (PAGES, False, 0)
    log = FetchLog.objects.get()
    assert (log.outcome, log.calls, log.records, log.call_rows.count()) == ("ok", PAGES, PAGES, PAGES)
    assert Source.objects.get(slug=GAMMA).last_error == ""


def test_without_a_worker_the_work_waits_as_ever(slow):
    assert len(services.run_errand(name="any", work=markets, idle=None, now=NOW).records) == PAGES
    assert (len(slow.questions), ErrandPart.objects.count()) == (PAGES, 0)


def test_work_whose_first_call_gets_no_slot_is_no_part_and_costs_the_source_nothing(slow):
    markets()
    slow.questions.clear()
    with pytest.raises(VendorAway) as refusal, allowing(wait_s_max=0.1):
        services.run_errand(name="any", work=markets, idle=None, now=NOW)
    assert 0 < (refusal.value.retry_after_s or 0) < 10
    assert isinstance(refusal.value.__cause__, PaceExceeded)
    assert (slow.questions, ErrandPart.objects.count(), FetchLog.objects.count()) == ([], 0, 1)


def test_an_errand_that_rested_for_long_begins_anew(slow):
    with pytest.raises(Unfinished):
        in_worker(markets)
    with pytest.raises(Unfinished):
        in_worker(markets, at=NOW + timedelta(minutes=14))
    with pytest.raises(Unfinished):
        in_worker(markets, at=NOW + timedelta(minutes=30))
    assert cursors(slow) == ["0", "1", "0"]


def test_an_errand_goes_on_after_an_outage_where_it_was_and_the_rest_is_not_asked_for_again(slow):
    """The feed of seasons does not bear a failure in the middle: without what is kept it would begin with the first."""
    slow.says(file())

    def part() -> Any:
        ask: dict[str, Any] = {"source": SEASONS, "keys": ("2425/E0", "2425/D1", "2425/I1"), "now": NOW, "by": "test"}
        return in_worker(lambda: services.fetch_match_results(**ask), name="results", source=SEASONS)

    with pytest.raises(Unfinished):
        part()
    slow.says(b"away", status=503)
    with pytest.raises(VendorAway):
        part()
    http.reset(SEASONS)
    http.forget_kept(SEASONS)
    slow.questions.clear()
    slow.says(file())
    with pytest.raises(Unfinished):
        part()
    assert part().operation == "match_results"
    assert [question.path for question in slow.questions] == [f"/{SEASONS}/mmz4281/2425/{name}.csv" for name in ("D1", "I1")]


def test_what_is_kept_holds_no_key(slow, settings):
    settings.VENDORS["newsapi"]["api_key"] = "a-very-secret-key"
    said = newsapi_page(total=500)
    slow.says({**said, "message": "you asked with a-very-secret-key"})

    def articles() -> Any:
        words = tuple(f"{letter * 200} {letter * 200}" for letter in "abc")
        return services.fetch_articles_of(source="newsapi", keys=words, now=NOW, by="test")

    with pytest.raises(Unfinished):
        in_worker(articles, name="articles", source="newsapi")
    (kept,) = ErrandPart.objects.all()
    assert b"secret" not in bytes(kept.body)
    assert "secret" not in json.dumps(kept.told) + kept.name


def test_a_body_that_is_not_believed_is_asked_for_again_and_not_kept(slow):
    slow.says(b"<html>")
    with pytest.raises(BadAnswer):
        in_worker(markets)
    assert (ErrandPart.objects.count(), Quarantine.objects.count()) == (0, 1)


def test_calls_that_are_under_way_when_one_has_no_slot_are_waited_for_and_kept(slow, settings):
    settings.VENDORS[KALSHI]["rate_per_minute"] = 100  # five at once
    slow.says({"orderbook_fp": kalshi_book()})
    keys = [f"kalshi:K-{number}:yes" for number in range(8)]

    def books() -> Any:
        return services.fetch_books(source=KALSHI, outcome_keys=keys, now=NOW, by="test")

    with pytest.raises(Unfinished):
        in_worker(books, source=KALSHI, name="books")
    asked = len(slow.questions)
    assert 1 < asked == ErrandPart.objects.count() < 8
    assert len(in_worker(books, source=KALSHI, name="books").records) == 8
    assert len({question.path for question in slow.questions}) == len(slow.questions) == 8


def test_what_was_decided_stays_and_the_answers_before_it_go(slow):
    decisions: list[str] = []

    def work() -> Any:
        def decide() -> list[str]:
            decisions.append("again")
            return [record.key for record in services.fetch_markets(source=GAMMA, now=NOW, by="test").records]

        keys = services.once(what="keys", decide=decide)
        return services.fetch_market_states(source=GAMMA, keys=keys[:1], now=NOW, by="test")

    for _ in range(PAGES):
        with pytest.raises(Unfinished):
            in_worker(work)
    assert sorted(ErrandPart.objects.values_list("name", flat=True))[-1] == "said keys"
    assert ErrandPart.objects.count() == 1
    assert len(decisions) == PAGES
    in_worker(work)
    assert len(decisions) == PAGES
    assert ErrandPart.objects.count() == 0


def test_what_failed_otherwise_begins_anew(slow):
    with pytest.raises(Unfinished):
        in_worker(markets)

    def broken() -> None:
        raise LookupError("a bug")

    with pytest.raises(LookupError):
        in_worker(broken)
    assert ErrandPart.objects.count() == 0


def test_an_errand_in_parts_that_another_holds_is_not_over(slow):
    with pytest.raises(Unfinished):
        in_worker(markets)
    with only_one_asking("markets of gamma"):
        with pytest.raises(VendorAway, match="held by another") as busy:
            in_worker(markets)
        assert services.run_errand(name="markets of gamma", work=markets, idle="idle", now=NOW) == "idle"
    assert busy.value.retry_after_s == 5.0
    assert len(slow.questions) == ErrandPart.objects.count() == 1


def test_a_tick_that_finds_a_whole_errand_running_leaves(slow):
    with only_one_asking("markets of gamma"):
        assert in_worker(markets) == "another is at it"
    assert slow.questions == []
