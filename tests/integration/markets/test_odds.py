"""Bookmakers' odds and the results of matches in the store."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.urls import reverse

from apps.audit.models import Event as AuditEvent
from apps.markets import selectors, services
from apps.markets.models import BookmakerOdds, Event, Market, Outcome, Result
from apps.markets.types import MatchCounts, OddsCounts
from apps.sources.types import Batch, MatchRecord, OddsLine, OddsRecord, Rejected

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KICK_OFF = NOW + timedelta(hours=6)
HOUR = timedelta(hours=1)
SOURCE, BY = "goalserve", "test"


def match(number: int = 1, **changes: Any) -> MatchRecord:
    return replace(
        MatchRecord(
            key=f"m{number}", sport="soccer", league="Cup", home="Reds", away="Blues", starts_at=KICK_OFF, status="scheduled"
        ),
        **changes,
    )


def offer(kind="1x2", odds=("2.0", "3.5", "4.0"), line=None, bookmaker="bet365", **changes: Any) -> tuple[OddsLine, ...]:
    names = {"1x2": ("home", "draw", "away"), "over_under": ("over", "under"), "asian_handicap": ("home", "away")}[kind]
    line = None if line is None else Decimal(line)
    return tuple(
        OddsLine(kind=kind, outcome=name, bookmaker=bookmaker, odds=Decimal(said), line=line, **changes)
        for name, said in zip(names, odds, strict=True)
    )


def goals(line="2.5", odds=("1.9", "1.95"), **changes: Any) -> tuple[OddsLine, ...]:
    return offer("over_under", odds, line, **changes)


def batch(*records: Any, at: datetime = NOW, rejected: tuple[Rejected, ...] = (), stale: bool = False) -> Batch[Any]:
    return Batch(source=SOURCE, operation="odds", records=records, rejected=rejected, fetched_at=at, stale=stale)


def store(*lines: OddsLine, of: MatchRecord | None = None, at: datetime = NOW) -> OddsCounts:
    record = OddsRecord(match=of or match(), lines=lines, received_at=at)
    return services.store_odds(source=SOURCE, batch=batch(record, at=at), now=at, by=BY)


def finish(*matches: MatchRecord, at: datetime = KICK_OFF + 2 * HOUR, stale: bool = False) -> MatchCounts:
    return services.store_match_results(source=SOURCE, batch=batch(*matches, at=at, stale=stale), now=at, by=BY)


def newest(key: str) -> list[tuple[str, Decimal, bool]]:
    outcome_id = Outcome.objects.get(source_key=key).id
    found = selectors.latest_odds([outcome_id]).get(outcome_id, ())
    return [(view.bookmaker, view.odds, view.is_suspended) for view in found]


def test_a_match_becomes_an_event_with_markets_outcomes_and_odds():
    assert store(*offer(), *goals()) == OddsCounts(matches=1, markets=2, seen=5, stored=5)
    event = Event.objects.get()
    assert (event.source, event.source_key, event.title, event.starts_at) == (SOURCE, "m1", "Reds v Blues (Cup)", KICK_OFF)
    kinds = {market.source_key: market for market in Market.objects.all()}
    assert sorted(kinds) == ["m1:1x2", "m1:over_under:2.5"]
    winner = kinds["m1:1x2"]
    assert (winner.pays, winner.accepts_orders, winner.state, winner.closes_at) == ("binary", False, "open", KICK_OFF)
    assert winner.question == "Reds v Blues: who wins?"
    assert list(winner.outcomes.values_list("source_key", "label")) == [
        ("goalserve:m1:1x2:home", "Reds"),
        ("goalserve:m1:1x2:draw", "Draw"),
        ("goalserve:m1:1x2:away", "Blues"),
    ]
    assert newest("goalserve:m1:1x2:draw") == [("bet365", Decimal("3.5"), False)]
    assert newest("goalserve:m1:over_under:2.5:under") == [("bet365", Decimal("1.95"), False)]


def test_unchanged_odds_are_not_stored_again_and_changed_ones_are_appended():
    store(*offer())
    assert store(*offer(), at=NOW + HOUR) == OddsCounts(matches=1, seen=3, unchanged=3)
    assert store(*offer(odds=("2.1", "3.5", "4.0")), at=NOW + 2 * HOUR) == OddsCounts(matches=1, seen=3, stored=1, unchanged=2)
    assert BookmakerOdds.objects.count() == 4
    assert newest("goalserve:m1:1x2:home") == [("bet365", Decimal("2.1"), False)]


def test_being_suspended_is_news_and_closing_odds_stand_beside_the_earlier_ones():
    store(*offer())
    assert store(*offer(suspended=True), at=NOW + HOUR).stored == 3
    assert newest("goalserve:m1:1x2:home") == [("bet365", Decimal("2.0"), True)]
    assert store(*offer(closing=True), at=NOW + 2 * HOUR).stored == 3
    assert len(newest("goalserve:m1:1x2:home")) == 2


def test_odds_that_come_late_are_left_out():
    store(*offer(vendor_at=NOW))
    late = offer(odds=("2.5", "3.5", "4.0"), vendor_at=NOW - HOUR)
    assert store(*late, at=NOW + HOUR) == OddsCounts(matches=1, seen=3, older=1, unchanged=2)
    assert newest("goalserve:m1:1x2:home") == [("bet365", Decimal("2.0"), False)]


def test_each_bookmaker_has_its_own_odds():
    store(*offer(), *offer(odds=("2.2", "3.3", "3.6"), bookmaker="Unibet"))
    assert newest("goalserve:m1:1x2:home") == [("Unibet", Decimal("2.2"), False), ("bet365", Decimal("2.0"), False)]


def test_one_audit_event_tells_of_a_batch_and_none_of_an_unchanged_one():
    store(*offer(), *goals())
    (event,) = AuditEvent.objects.filter(action="odds.stored")
    assert {name: event.detail[name] for name in ("matches", "stored", "unchanged", "refused")} == {
        "matches": 1, "stored": 5, "unchanged": 0, "refused": 0,
    }  # fmt: skip
    store(*offer(), *goals(), at=NOW + HOUR)
    assert AuditEvent.objects.filter(action="odds.stored").count() == 1


@pytest.mark.parametrize("change", ["UPDATE markets_bookmakerodds SET odds = 9", "DELETE FROM markets_bookmakerodds"])
def test_rows_of_odds_cannot_be_changed_or_deleted(change):
    store(*offer())
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)
    assert isinstance(caught.value.__cause__, psycopg.errors.RestrictViolation)


def test_results_resolve_every_market_of_a_match_and_push_a_line_that_was_hit():
    store(*offer(), *goals(), *goals("3"), *offer("asian_handicap", ("1.9", "1.95"), "-1.5"))
    assert finish(match(status="finished", home_score=2, away_score=1)) == MatchCounts(matches=1, markets=4, results=4)
    results = {result.market.source_key: result for result in Result.objects.select_related("market")}
    assert {key: result.kind for key, result in results.items()} == {
        "m1:1x2": "final", "m1:over_under:2.5": "final", "m1:over_under:3": "void", "m1:asian_handicap:-1.5": "final",
    }  # fmt: skip
    winners = {key: [out for out, paid in result.payouts.items() if paid == "1"] for key, result in results.items()}
    keys = {outcome.id: outcome.source_key for outcome in Outcome.objects.all()}
    assert [keys[won] for key in ("m1:1x2", "m1:over_under:2.5", "m1:asian_handicap:-1.5") for won in winners[key]] == [
        "goalserve:m1:1x2:home", "goalserve:m1:over_under:2.5:over", "goalserve:m1:asian_handicap:-1.5:away",
    ]  # fmt: skip
    assert results["m1:1x2"].evidence == {"status": "finished", "home": 2, "away": 1}
    assert AuditEvent.objects.filter(action="matches.resolved").count() == 1


def test_the_same_result_again_is_no_news_and_another_one_is_the_next_revision():
    store(*offer())
    finish(match(status="finished", home_score=2, away_score=1))
    assert finish(match(status="finished", home_score=2, away_score=1)).results == 0
    assert finish(match(status="finished", home_score=2, away_score=2)).results == 1
    assert [result.revision for result in Result.objects.order_by("revision")] == [1, 2]


@pytest.mark.parametrize(
    ("changes", "at", "kind"),
    [
        ({"status": "abandoned"}, KICK_OFF + HOUR, "void"),
        ({"status": "cancelled"}, KICK_OFF + HOUR, "void"),
        ({"status": "awarded", "home_score": 3, "away_score": 0}, KICK_OFF + HOUR, "void"),
        ({"status": "postponed"}, KICK_OFF + 48 * HOUR, "void"),
        ({"status": "postponed"}, KICK_OFF + 47 * HOUR, None),
        ({"status": "finished"}, KICK_OFF + HOUR, None),
        ({"status": "live", "home_score": 1, "away_score": 0}, KICK_OFF + HOUR, None),
        ({"status": "finished", "home_score": 1, "away_score": 0}, KICK_OFF - HOUR, None),
    ],
)
def test_matches_that_were_not_played_out_are_void_and_those_that_go_on_wait(changes, at, kind):
    store(*offer())
    assert finish(match(**changes), at=at).results == (0 if kind is None else 1)
    assert [result.kind for result in Result.objects.all()] == ([] if kind is None else [kind])
    assert Market.objects.get().state == ("open" if kind is None else kind)


def test_an_incomplete_answer_resolves_nothing():
    store(*offer())
    assert finish(match(status="finished", home_score=1, away_score=0), stale=True).results == 0
    assert Result.objects.count() == 0


def test_what_only_bookmakers_quote_is_not_forecast():
    store(*offer())
    assert selectors.unresolved_markets(now=NOW) == ()
    assert selectors.outcome_keys_to_watch(now=NOW) == ()


def test_the_newest_odds_of_an_outcome_are_found_by_their_index_without_sorting():
    store(*offer())
    outcome_id = Outcome.objects.get(source_key="goalserve:m1:1x2:home").id
    place = ("outcome_id", "bookmaker", "is_closing")
    query = BookmakerOdds.objects.filter(outcome_id=outcome_id).order_by(*place, "-id").distinct(*place)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    plan = query.explain()
    assert "odds_newest" in plan
    assert "Sort" not in plan


def test_the_newest_odds_of_many_outcomes_take_one_query(django_assert_num_queries):
    store(*offer(), *goals())
    ids = list(Outcome.objects.values_list("id", flat=True))
    with django_assert_num_queries(1):
        assert len(selectors.latest_odds(ids)) == 5


@pytest.mark.django_db(transaction=True)
def test_two_loaders_of_the_same_answer_store_it_once():
    """The second waits for the first, sees what it stored, and finds nothing new."""
    counts: list[OddsCounts] = []
    start = threading.Barrier(2)

    def load() -> None:
        start.wait()
        counts.append(store(*offer(), *goals()))
        connections.close_all()

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((count.markets, count.stored, count.unchanged) for count in counts) == [(0, 0, 5), (2, 5, 0)]
    assert (Market.objects.count(), BookmakerOdds.objects.count()) == (2, 5)


def test_odds_of_more_digits_than_are_kept_are_unchanged_when_they_come_again():
    long = offer(odds=("2.00000000004", "3.33333333333333", "4.0"))
    store(*long)
    assert store(*long, at=NOW + HOUR).unchanged == 3


def test_a_match_that_was_moved_moves_its_markets_at_once():
    store(*offer())
    later = match(starts_at=KICK_OFF + 24 * HOUR)
    assert store(*offer(), of=later, at=NOW + timedelta(minutes=1)).unchanged == 3
    assert (Market.objects.get().closes_at, Event.objects.get().starts_at) == (KICK_OFF + 24 * HOUR,) * 2


def test_a_match_that_began_closes_its_markets_and_an_unchanged_one_is_listed_again_in_a_while():
    store(*offer())
    store(*offer(), at=NOW + timedelta(minutes=59))
    assert Market.objects.get().last_seen_at == NOW
    store(*offer(), at=NOW + HOUR)
    assert Market.objects.get().last_seen_at == NOW + HOUR
    store(*offer(suspended=True), of=match(status="live"), at=NOW + HOUR + timedelta(minutes=1))
    assert Market.objects.get().state == "closed"


def test_people_of_staff_see_the_odds_in_the_admin(admin_client):
    store(*offer())
    page = admin_client.get(reverse("admin:markets_bookmakerodds_changelist"))
    assert (page.status_code, b"bet365" in page.content) == (200, True)
    row = BookmakerOdds.objects.first()
    assert row is not None
    assert admin_client.get(reverse("admin:markets_bookmakerodds_change", args=[row.pk])).status_code == 200
    assert str(row) == f"{row.outcome_id} bet365 {row.odds}"
