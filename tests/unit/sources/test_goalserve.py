"""Goalserve: odds in JSON made from XML, results in XML."""

from __future__ import annotations

import asyncio
import copy
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer, BadRow
from apps.sources.ports import Reply
from apps.sources.vendors.goalserve import VENDOR, feed, results, terms
from tests.factories.goalserve import NOW, SAID, answer, bookmaker, market, match, odd


def read(value: Any, at: datetime = NOW):
    return feed.read_odds(json.dumps(value).encode(), at)


def lines(*markets: Any, at: datetime = NOW):
    gathered = read(answer(match(*markets)), at)
    return [line for record in gathered.records for line in record.lines], [fault.reason for fault in gathered.rejected]


def test_a_match_with_its_odds_is_read():
    (record,) = read(answer()).records
    assert (record.match.key, record.match.sport, record.match.league) == ("6001", "soccer", "Brazil: Cup")
    assert (record.match.home, record.match.away, record.match.status) == ("Reds", "Blues", "scheduled")
    assert record.match.starts_at == datetime(2025, 9, 11, 22, 30, tzinfo=UTC)
    assert (record.match.home_score, record.received_at) == (None, NOW)
    assert [(line.kind, line.outcome, line.bookmaker, line.odds, line.line) for line in record.lines] == [
        ("1x2", "home", "bet365", Decimal("1.85"), None),
        ("1x2", "draw", "bet365", Decimal("3.5"), None),
        ("1x2", "away", "bet365", Decimal("4.2"), None),
    ]
    assert {line.vendor_at for line in record.lines} == {datetime.fromtimestamp(SAID, tz=UTC)}
    assert not any(line.suspended for line in record.lines)


def test_totals_and_handicaps_carry_their_line():
    totals = [{"name": text, "stop": "False", "odds": odd(Over="1.9", Under="1.95")} for text in ("2.5", "3")]
    handicap = {"name": "-0.75", "stop": "False", "odds": odd(Home="1.9", Away="1.95")}
    got, faults = lines(
        market("Goals Over/Under", bookmakers=[bookmaker(totals=totals)]),
        market("Asian Handicap", bookmakers=bookmaker(handicaps=handicap)),
    )
    assert [(line.kind, line.outcome, line.line) for line in got] == [
        ("over_under", "over", Decimal("2.5")),
        ("over_under", "under", Decimal("2.5")),
        ("over_under", "over", Decimal(3)),
        ("over_under", "under", Decimal(3)),
        ("asian_handicap", "home", Decimal("-0.75")),
        ("asian_handicap", "away", Decimal("-0.75")),
    ]
    assert faults == []


def test_a_line_may_stand_in_the_name_of_the_odd():
    got, _ = lines(market("Over/Under", bookmakers=[bookmaker(odds=odd(**{"Over 2.5": "1.9", "Under 2.5": "1.9"}))]))
    assert [(line.outcome, line.line) for line in got] == [("over", Decimal("2.5")), ("under", Decimal("2.5"))]


@pytest.mark.parametrize(
    "stopped",
    [
        market(stop="True"),
        market(bookmakers=[bookmaker(stop="True", odds=odd(Home="1.85", Draw="3.5", Away="4.2"))]),
        market(bookmakers=[bookmaker(ts=SAID - 21, odds=odd(Home="1.85", Draw="3.5", Away="4.2"))]),
        market(bookmakers=[bookmaker(odds=[{**one, "stop": "True"} for one in odd(Home="1.85", Draw="3.5", Away="4.2")])]),
    ],
)
def test_what_stopped_or_was_not_said_for_thirty_seconds_is_suspended(stopped):
    got, faults = lines(stopped)
    assert [line.suspended for line in got] == [True] * 3
    assert faults == []


def test_thirty_seconds_are_still_fresh_and_one_more_is_not():
    moment = datetime.fromtimestamp(SAID + 30, tz=UTC)
    assert not any(line.suspended for line in lines(market(), at=moment)[0])
    assert all(line.suspended for line in lines(market(), at=moment + timedelta(seconds=1))[0])


def test_a_stopped_line_does_not_stop_its_neighbour():
    totals = [
        {"name": text, "stop": stop, "odds": odd(Over="1.9", Under="1.95")} for text, stop in (("2.5", "True"), ("3", "False"))
    ]
    got, _ = lines(market("Over/Under", bookmakers=[bookmaker(totals=totals)]))
    assert [(line.line, line.suspended) for line in got] == [(Decimal("2.5"), True)] * 2 + [(Decimal(3), False)] * 2


def test_lists_of_one_may_come_as_objects_everywhere():
    one = match(odds=market(bookmakers=bookmaker(odds=odd(Home="1.85", Draw="3.5", Away="4.2"))))
    value = {"scores": {"sport": "soccer", "ts": str(SAID), "categories": {"name": "Cup", "matches": one}}}
    (record,) = read(value).records
    assert (record.match.league, len(record.lines)) == ("Cup", 3)


def test_cricket_with_its_other_shape_is_read():
    offered = {"@id": "16", "@name": "bet365", "@stop": "False", "@ts": str(SAID), "odd": odd(Home="1.5", Away="2.6")}
    kind = {"@value": "Home/Away", "@id": "2", "bookmaker": offered}
    one = {
        "@id": "77",
        "@status": "Not Started",
        "@date": "Sep 11",
        "@formatted_date": "11.09.2025",
        "@time": "22:30",
        "localteam": {"@name": "India"},
        "visitorteam": {"@name": "Oman"},
        "odds": {"@ts": str(SAID), "type": [kind]},
    }
    value = {"scores": {"@sport": "cricket", "@ts": str(SAID), "category": {"@name": "Asia Cup", "matches": {"match": [one]}}}}
    (record,) = read(value).records
    assert (record.match.sport, record.match.league, record.match.home) == ("cricket", "Asia Cup", "India")
    assert [(line.kind, line.outcome) for line in record.lines] == [("moneyline", "home"), ("moneyline", "away")]


def test_markets_that_are_not_followed_and_matches_without_odds_are_left_out():
    assert lines(market("Correct Score"), market("Home/Away")) == ([], [])
    assert read(answer(match(odds=[]))).records == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": ""}, "id has not the form of one"),
        ({"id": "a b"}, "id has not the form of one"),
        ({"formatted_date": "09.11.2025", "date": "Sep 11"}, "date and formatted_date contradict each other"),
        ({"formatted_date": "2025-09-11"}, "formatted_date and time are not a day and a time"),
        ({"formatted_date": "31.02.2025"}, "formatted_date and time are no real moment"),
        ({"time": "TBA"}, "formatted_date and time are not a day and a time"),
        ({"formatted_date": "11.09.2023"}, "the kick-off is too far from today"),
        ({"status": "Odd"}, "status 'Odd' is not known"),
        ({"localteam": {"name": ""}}, "localteam has no name"),
        ({"localteam": "Reds"}, "the row is not an object"),
        ({"status": 7}, "status is not a text"),
    ],
)
def test_a_match_that_cannot_be_believed_is_named(changes, reason):
    gathered = read(answer(match(**changes), match(id="7")))
    assert [fault.reason for fault in gathered.rejected] == [reason]
    assert [record.match.key for record in gathered.records] == ["7"]


def test_a_bookmaker_that_cannot_be_read_does_not_harm_the_others():
    bad = bookmaker("bad", odds=odd(Home="1.85", Nobody="2"))
    wild = bookmaker("wild", odds=odd(Home="185", Draw="350", Away="420"))
    good = bookmaker(odds=odd(Home="1.85", Draw="3.5", Away="4.2"))
    got, faults = lines(market(bookmakers=[bad, wild, good]))
    assert {line.bookmaker for line in got} == {"bet365"}
    assert faults == ["an odd has a name that is no outcome", "overround outside 0.98 to 1.40"]


def test_a_cut_body_gives_nothing_at_all():
    body = json.dumps(answer(*[match(id=str(number)) for number in range(50)])).encode()
    for end in (len(body) - 1, len(body) // 2, 100, 1, 0):
        with pytest.raises(BadAnswer):
            feed.read_odds(body[:end], NOW)


def test_an_answer_of_too_many_matches_is_not_believed():
    body = b'{"scores": {"categories": [{"matches": [' + b"{}," * 60_000 + b"{}]}]}}"
    with pytest.raises(BadAnswer, match="more than 50000 matches"):
        feed.read_odds(body.replace(b"{},", b'{"id":1},'), NOW)


def test_no_more_faults_are_kept_than_the_quarantine_takes():
    gathered = read(answer(*[match(id="") for _ in range(600)]))
    assert (len(gathered.rejected), gathered.records) == (500, ())


def test_an_answer_without_scores_is_not_believed():
    for body in (b'{"error": "no access"}', b"[]", b"null", b"<html>", b'{"scores": []}'):
        with pytest.raises(BadAnswer):
            feed.read_odds(body, NOW)
    assert feed.read_odds(b'{"scores": {"categories": null}}', NOW).records == ()


@given(st.data())
def test_whatever_stands_in_a_field_only_named_faults_come_out(data):
    value = copy.deepcopy(answer())
    path: list[Any] = []
    node: Any = value
    while isinstance(node, dict | list) and node and (not path or data.draw(st.booleans())):
        path.append(data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node)))))
        node = node[path[-1]]
    parent: Any = value
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = data.draw(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just([]) | st.just({}) | st.just([[1]])
    )
    try:
        gathered = read(value)
    except BadAnswer:
        return
    assert all(fault.reason for fault in gathered.rejected)


@given(st.binary(max_size=300))
def test_whatever_the_bytes_nothing_else_is_raised(body):
    for reader in (lambda: feed.read_odds(body, NOW), lambda: results.read_results(body)):
        with suppress(BadAnswer):
            reader()


# --- results -------------------------------------------------------------------------------------------------------


def event(minute: str, result: str, team="localteam") -> str:
    return f'<event type="goal" minute="{minute}" team="{team}" result="{result}"/>'


def document(status="FT", goals=("2", "1"), inside="", **changes: str) -> bytes:
    fields = {"date": "Jul 28", "formatted_date": "28.07.2013", "time": "21:30", "id": "1562227", **changes}
    said = " ".join(f'{name}="{value}"' for name, value in fields.items())
    return (
        f'<?xml version="1.0" encoding="utf-8"?><scores sport="soccer"><category name="Brazil: Serie A" id="1141">'
        f'<matches date="Jul 28"><match status="{status}" {said}><localteam name="Bahia" goals="{goals[0]}"/>'
        f'<visitorteam name="Goias" goals="{goals[1]}"/>{inside}</match></matches></category></scores>'
    ).encode()


def only(body: bytes):
    gathered = results.read_results(body)
    assert gathered.rejected == ()
    return gathered.records[0]


def test_a_finished_match_is_read():
    record = only(document())
    assert (record.key, record.league, record.home, record.away) == ("1562227", "Brazil: Serie A", "Bahia", "Goias")
    assert (record.status, record.home_score, record.away_score) == ("finished", 2, 1)
    assert record.starts_at == datetime(2013, 7, 28, 21, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        *(("21:30", "scheduled"), ("Not Started", "scheduled"), ("45", "live"), ("90+3", "live"), ("HT", "live")),
        *(("Susp.", "live"), ("Postp.", "postponed"), ("Aban.", "abandoned"), ("Cancl.", "cancelled"), ("Awarded", "awarded")),
    ],
)
def test_states_are_told_apart_and_only_a_finished_match_has_a_score(status, meaning):
    record = only(document(status, goals=("2", "1")))
    assert (record.status, record.home_score, record.away_score) == (meaning, None, None)


def test_bets_are_settled_by_the_regular_time():
    late = f"<events>{event('10', '[1 - 0]')}{event('90+2', '[1 - 1]')}{event('105', '[2 - 1]')}</events>"
    record = only(document("AET", inside=late))
    assert (record.status, record.home_score, record.away_score) == ("finished", 1, 1)
    said = only(document("Pen.", inside='<ft score="[1-1]"/>'))
    assert (said.home_score, said.away_score) == (1, 1)
    assert only(document("Pen.", goals=("0", "0"))).home_score == 0


def test_a_score_of_the_regular_time_that_does_not_add_up_is_not_known():
    record = only(document("AET", inside=f"<events>{event('10', '[1 - 0]')}</events>"))
    assert (record.status, record.home_score) == ("finished", None)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (document(goals=("?", "?")), "a finished match has no goals"),
        (document(status="Odd"), "status 'Odd' is not known"),
        (document(formatted_date="07.28.2013"), "formatted_date and time are no real moment"),
        (document(date="Jul 27"), "date and formatted_date contradict each other"),
        (document(id=""), "id has not the form of one"),
    ],
)
def test_a_result_that_cannot_be_believed_is_named(body, reason):
    gathered = results.read_results(body)
    assert (gathered.records, [fault.reason for fault in gathered.rejected]) == ((), [reason])


BOMB = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><scores>&b;</scores>'


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        b'<!DOCTYPE s SYSTEM "file:///etc/passwd"><scores/>',
        b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><scores>&x;</scores>',
        b"<scores>" + b"<a>" * 200 + b"</a>" * 200 + b"</scores>",
        b'<topscorers sport="soccer"/>',
        b"<scores><category>",
        b"",
        b"{}",
    ],
)
def test_dangerous_and_foreign_documents_are_refused_whole(body):
    with pytest.raises(BadAnswer):
        results.read_results(body)


class Recorder:
    """A caller that gives one body and keeps the questions."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.asked: list[Any] = []

    async def get(self, path, params=(), headers=()):
        self.asked.append((path, dict(params)))
        return Reply(body=self.body, received_at=NOW)

    async def post(self, path, body, *, repeatable=True):
        raise AssertionError("Goalserve is never posted to")


def test_the_key_stands_in_the_path_and_each_kind_has_its_list():
    caller = Recorder(json.dumps(answer()).encode())
    asyncio.run(feed.odds(caller, ("soccer_10", "basket_10")))
    assert caller.asked == [
        ("/getfeed/{key}/getodds/soccer", {"cat": "soccer_10", "json": "1"}),
        ("/getfeed/{key}/getodds/soccer", {"cat": "basket_10", "json": "1"}),
    ]
    caller = Recorder(document())
    gathered = asyncio.run(feed.match_results(caller, ("soccer_10",)))
    assert [path for path, _ in caller.asked] == ["/getfeed/{key}/soccernew/home", "/getfeed/{key}/soccernew/d-1"]
    assert len(gathered.records) == 2
    assert asyncio.run(VENDOR.check(Recorder(document()))).message == "1 matches read, 0 refused"


def test_a_sport_without_results_of_ours_is_not_asked_for_any():
    caller = Recorder(document())
    assert asyncio.run(feed.match_results(caller, ("tennis_10",))).records == ()
    assert caller.asked == []


@given(st.text(max_size=40), st.text(max_size=10), st.text(max_size=10))
def test_a_kick_off_is_a_moment_or_a_named_fault(day, clock, month_day):
    with suppress(BadRow):
        assert terms.starts_at(day, clock, month_day).tzinfo is UTC
