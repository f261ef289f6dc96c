"""Recordings of Betfair's stream: lines in, markets and books out."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import json
from contextlib import suppress
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import NotAtVendor
from apps.sources.ports import Reply
from apps.sources.vendors.betfair_stream import VENDOR, client, feed, pricing
from apps.sources.vendors.betfair_stream.stream import replay
from tests.factories.betfair import ID, PT, change, definition, line, prices, started

NOW = datetime(2026, 6, 8, tzinfo=UTC)


class Folder:
    """A caller that answers from named bytes."""

    def __init__(self, **files: bytes) -> None:
        self.files = {name.replace("_", "."): body for name, body in files.items()}
        self.asked: list[str] = []

    async def get(self, path, params=(), headers=()):
        self.asked.append(path)
        if path == "/":
            return Reply(body="\n".join(self.files).encode(), received_at=NOW)
        if path[1:] not in self.files:
            raise NotAtVendor(path)
        return Reply(body=self.files[path[1:]], received_at=NOW)

    async def post(self, path, body, *, repeatable=True):
        raise AssertionError("recordings are never posted to")


def states(body: bytes, *keys: str):
    return asyncio.run(feed.market_states(Folder(**{"1_197931750": body}), keys or (ID,)))


def book(body: bytes, key=f"{ID}:10"):
    found = asyncio.run(feed.books(Folder(**{"1_197931750": body}), (key,))).records
    return found[0] if found else None


def ended(*fates: str, winners=1, was=("ACTIVE",) * 3) -> bytes:
    closed = definition(*fates, status="CLOSED", winners=winners, settledTime="2022-04-19T18:29:41.000Z")
    return started(winners=winners) + line(change(closed), pt=PT + 1000) if was == ("ACTIVE",) * 3 else b""


def resolution(body: bytes, key=ID):
    (record,) = states(body, key).records
    return record.resolution and (record.resolution.status, [str(paid.normalize()) for paid in record.resolution.payouts])


def test_a_market_with_one_winner_is_one_market_and_its_runners_are_the_outcomes():
    (record,) = states(started()).records
    assert (record.key, record.question, record.category) == (ID, "Sheffield 19th Apr, OR 280m: who wins?", "greyhounds")
    assert [(outcome.key, outcome.label) for outcome in record.outcomes] == [(f"{ID}:1{n}", f"R{n}") for n in range(3)]
    assert (record.accepts_orders, record.closed, record.resolution, record.fee_rate) == (True, False, None, Decimal("0.05"))
    assert record.closes_at == datetime(2022, 4, 19, 18, 26, tzinfo=UTC)
    assert record.vendor_at == datetime(2022, 4, 19, 18, 24, 33, 420000, tzinfo=UTC)
    assert record.event.key == "31389771"


def test_a_market_with_several_winners_is_a_question_for_each_runner():
    body = started(winners=2)
    assert states(body).records == ()
    (record,) = states(body, f"{ID}:11").records
    assert record.question == "Sheffield 19th Apr, OR 280m: is R1 among the 2?"
    assert [(outcome.key, outcome.label) for outcome in record.outcomes] == [(f"{ID}:11", "Yes"), (f"{ID}:11:no", "No")]


@pytest.mark.parametrize(
    ("fates", "expected"),
    [
        (("LOSER", "WINNER", "LOSER"), ("final", ["0", "1", "0"])),
        (("WINNER", "WINNER", "LOSER"), ("final", ["0.5", "0.5", "0"])),
        (("WINNER", "WINNER", "WINNER"), ("final", ["0.3333333334", "0.3333333333", "0.3333333333"])),
        (("LOSER", "WINNER", "REMOVED"), ("void", [])),
        (("REMOVED", "REMOVED", "REMOVED"), ("void", [])),
        (("LOSER", "LOSER", "LOSER"), ("void", [])),
        (("ACTIVE", "WINNER", "LOSER"), None),
    ],
)
def test_a_market_ends_with_its_winner_a_shared_unit_or_void(fates, expected):
    assert resolution(ended(*fates)) == expected


@pytest.mark.parametrize(
    ("fates", "expected"),
    [
        (("WINNER", "WINNER", "LOSER"), ("final", ["1", "0"])),
        (("LOSER", "WINNER", "WINNER"), ("final", ["0", "1"])),
        (("PLACED", "WINNER", "LOSER"), ("final", ["1", "0"])),
        (("WINNER", "WINNER", "WINNER"), ("void", [])),
        (("WINNER", "REMOVED", "LOSER"), ("void", [])),
        (("LOSER", "LOSER", "LOSER"), ("void", [])),
    ],
)
def test_a_place_is_taken_or_not_and_who_shares_the_last_one_is_not_told(fates, expected):
    assert resolution(ended(*fates, winners=2), f"{ID}:10") == expected


def test_a_runner_that_was_gone_from_the_beginning_is_no_outcome():
    closed = definition("REMOVED", "WINNER", "LOSER", status="CLOSED")
    body = line(change(definition("REMOVED", "ACTIVE", "ACTIVE"), img=True)) + line(change(closed), pt=PT + 1)
    assert resolution(body) == ("final", ["1", "0"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bettingType": "LINE"}, "markets of type LINE with 1 winners are not followed"),
        ({"numberOfWinners": 0}, "markets of type ODDS with 0 winners are not followed"),
        ({"runners": [{"id": 1, "status": "ACTIVE"}]}, "fewer than two runners"),
    ],
)
def test_kinds_that_are_not_followed_are_named(changes, reason):
    gathered = states(line(change({**definition(), **changes}, img=True)))
    assert (gathered.records, [fault.reason for fault in gathered.rejected]) == ((), [reason])


def test_a_runner_that_was_added_later_makes_the_market_one_that_is_not_followed():
    gathered = states(started() + line(change(definition(*["ACTIVE"] * 4)), pt=PT + 1))
    assert [fault.reason for fault in gathered.rejected] == ["a runner was added after the first definition"]


# --- prices ----------------------------------------------------------------------------------------------------------


def test_what_can_be_backed_is_offered_to_us_and_what_can_be_laid_is_bid():
    found = book(started(prices(atb=[[4, 10], [5, 20]], atl=[[8, 3], [6.25, 7]])))
    assert found is not None
    assert [(level.price, level.units) for level in found.asks] == [(Decimal("0.2"), 100), (Decimal("0.25"), 40)]
    assert [(level.price, level.units) for level in found.bids] == [(Decimal("0.16"), Decimal("43.75")), (Decimal("0.125"), 24)]
    assert found.asks[0].price > found.bids[0].price
    assert (found.outcome_key, found.received_at) == (f"{ID}:10", NOW)


def test_against_a_runner_everything_is_mirrored():
    body = started(prices(atb=[[5, 20]], atl=[[6.25, 7]]), winners=2)
    found = book(body, f"{ID}:10:no")
    assert found is not None
    assert [(level.price, level.units) for level in found.asks] == [(Decimal("0.84"), Decimal("43.75"))]
    assert [(level.price, level.units) for level in found.bids] == [(Decimal("0.8"), 100)]


LADDER = [*range(101, 200), *range(200, 300, 2), *range(300, 400, 5), *range(400, 600, 10), *range(600, 1000, 20)]
TALL = [
    *range(1000, 2000, 50),
    *range(2000, 3000, 100),
    *range(3000, 5000, 200),
    *range(5000, 10000, 500),
    *range(10000, 100001, 1000),
]


def test_every_odds_of_the_ladder_comes_back_from_its_price():
    for odds in [Decimal(hundredths) / 100 for hundredths in LADDER + TALL]:
        high, low = pricing.price_of(odds, ROUND_UP), pricing.price_of(odds, ROUND_DOWN)
        assert (pricing.odds_of(high), pricing.odds_of(low)) == (odds, odds)
        assert high * odds >= 1 >= low * odds


@given(st.sampled_from(LADDER + TALL), st.decimals("0.01", "100000", places=2))
def test_buying_all_that_can_be_backed_costs_the_stake_and_pays_its_winnings(hundredths, stake):
    odds = Decimal(hundredths) / 100
    ((price, units),) = [(level.price, level.units) for level in pricing.asks_of([(odds, stake)])]
    assert units == odds * stake  # what the exchange would pay
    assert stake <= price * units <= stake + units * Decimal("1e-10")


@given(st.lists(st.tuples(st.sampled_from(LADDER), st.decimals("0.01", "1000", places=2)), min_size=1, max_size=10))
def test_mirroring_twice_changes_nothing_and_prices_stay_in_order(levels):
    ladder = {Decimal(hundredths) / 100: size for hundredths, size in levels}
    asks = pricing.asks_of(sorted(ladder.items(), reverse=True))
    assert [level.price for level in asks] == sorted(level.price for level in asks)
    assert pricing.mirrored(pricing.mirrored(asks)) == asks
    assert all(0 < level.price < 1 for level in asks)


def test_changes_set_and_take_away_levels():
    body = started(prices(atb=[[4, 10], [5, 20]])) + line(change(None, prices(atb=[[5, 0], [4, 11]], atl=[[6, 1]])), pt=PT + 1)
    found = book(body)
    assert found is not None
    assert [(level.price, level.units) for level in found.asks] == [(Decimal("0.25"), 44)]
    assert len(found.bids) == 1


def test_an_image_replaces_what_was_known():
    body = started(prices(atb=[[4, 10]])) + line(change(None, prices(id=11, atb=[[5, 1]]), img=True), pt=PT + 1)
    assert book(body) is None
    assert book(body, f"{ID}:11") is not None


def test_best_places_stand_in_where_the_whole_ladder_is_not_sent():
    body = started(prices(batb=[[0, 5, 20], [1, 4, 10]])) + line(change(None, prices(batb=[[1, 0, 0], [0, 4.5, 2]])), pt=PT + 1)
    found = book(body)
    assert found is not None
    assert [level.units for level in found.asks] == [Decimal(9)]


def test_heartbeats_conflated_changes_and_those_after_a_break_are_taken_in():
    body = started(prices(atb=[[4, 10]])) + line(ct="HEARTBEAT", pt=PT + 1)
    body += line(change(None, prices(atb=[[4, 12]]), con=True), pt=PT + 2, ct="RESUB_DELTA")
    body += b'{"op":"connection","connectionId":"1"}\n{"op":"status","statusCode":"SUCCESS"}\n'
    found = book(body)
    assert found is not None
    assert (found.asks[0].units, replay(body, "x").rejected) == (Decimal(48), [])


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED", "INACTIVE"])
def test_a_market_that_is_not_open_has_no_book(status):
    assert book(started(prices(atb=[[4, 10]])) + line(change(definition(status=status)), pt=PT + 1)) is None


def test_in_play_no_orders_are_taken():
    (record,) = states(started(inPlay=True)).records
    assert record.accepts_orders is False


def test_after_a_line_that_was_lost_books_wait_for_the_next_image():
    body = started(prices(atb=[[4, 10]]))
    torn = body + b'{"op":"mcm","pt":1,\n' + line(change(None, prices(atl=[[6, 1]])), pt=PT + 2)
    assert (book(body) is None, book(torn) is None) == (False, True)
    assert [fault.reason for fault in replay(torn, "f").rejected] == ["the body is not JSON (JSONDecodeError)"]
    assert book(torn + line(change(None, prices(atb=[[4, 10]]), img=True), pt=PT + 3)) is not None


def test_a_message_that_goes_back_in_time_is_refused_and_changes_nothing():
    body = started(prices(atb=[[4, 10]])) + line(change(definition("WINNER", "LOSER", "LOSER", status="CLOSED")), pt=PT - 1)
    stream = replay(body, "f")
    assert [(fault.reason, fault.key) for fault in stream.rejected] == [("pt goes back in time", "f:2")]
    known = stream.markets[ID].definition
    assert known is not None
    assert known.status == "OPEN"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (line(change(None, prices(atb=[[1, 10]]))), "a level of atb has impossible odds or size"),
        (line(change(None, prices(atb=[[4, -1]]))), "atb is not between 0"),
        (line(change(None, prices(atb=[[4]]))), "a level of atb has not its parts"),
        (line(change(None, prices(batl=[[4, 5]]))), "a level of batl has not its parts"),
        (line(change(None, prices(atb=[["4", 5]]))), "atb is not a number"),
        (line(change(None, prices(atb=4))), "atb is not a list"),
        (line(change(None, id="x")), "id is not the id of a market"),
        (line(change({**definition(), "status": "ODD"})), "status is none that we know"),
        (line(change({**definition(), "numberOfWinners": 1.5})), "numberOfWinners is not a whole number"),
        (line(change({**definition(), "runners": []})), "runners are none, too many or named twice"),
        (b'{"op":"mcm","pt":"x"}', "pt is not a number"),
        (b'{"op":"ocm","pt":1}', "op is not mcm"),
        (b" " * 5_000_000 + b"1", "the line is longer than 4194304 bytes"),
        (b"[]", "the row is not an object"),
        (b'{"op":"mcm","pt":NaN}', "the body "),
    ],
)
def test_a_line_that_cannot_be_believed_is_named(bad, reason):
    (fault,) = replay(bad, "f").rejected
    assert fault.reason.startswith(reason)


@given(st.binary(max_size=400))
def test_whatever_the_bytes_nothing_is_raised(body):
    replay(body, "f")
    states(body)


@given(st.data())
def test_whatever_stands_in_a_message_nothing_is_raised(data):
    message = json.loads(started(prices(atb=[[4, 10]], batl=[[0, 5, 1]])))
    node: Any = message
    while True:
        step = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[step], dict | list) or not node[step] or data.draw(st.booleans()):
            break
        node = node[step]
    node[step] = data.draw(
        st.none() | st.integers() | st.floats() | st.text(max_size=9) | st.just([]) | st.just({}) | st.just([[]])
    )
    body = json.dumps(message).encode()
    states(body, ID, f"{ID}:10")
    book(body)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_recordings_may_be_packed(pack):
    assert len(states(pack(started())).records) == 1


def test_a_recording_that_cannot_be_unpacked_leaves_the_others_alone():
    folder = Folder(
        **{"1_197931750": gzip.compress(started())[:-9], "1_197931759": started().replace(ID.encode(), b"1.197931759")}
    )
    gathered = asyncio.run(feed.open_markets(folder))
    assert [record.key for record in gathered.records] == ["1.197931759"]
    assert ([fault.reason for fault in gathered.rejected], gathered.complete) == (
        ["the body cannot be unpacked (EOFError)"],
        False,
    )


def test_a_recording_without_a_market_or_a_definition_is_named():
    assert [fault.reason for fault in states(b"").rejected] == ["the recording holds no market"]
    gathered = states(line(change(None, prices(atb=[[4, 1]]))))
    assert [fault.reason for fault in gathered.rejected] == ["no definition of the market was recorded"]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"1.197931750\nsub/BASIC-1.132153978.gz\n1.5.txt", {"1.132153978": "sub/BASIC-1.132153978.gz", ID: ID}),
        (b'<a href="1.197931750.bz2">1.197931750.bz2</a>', {ID: "1.197931750.bz2"}),
        (b"1.197931750.json.gz\n1.197931750_sportsdata.gz\n1.197931750-processed.json", {}),
        (b"1.197931750\n1.197931750.gz", {ID: ID}),
        (b"../1.197931750\n/etc/1.197931750", {}),
    ],
)
def test_recordings_are_found_in_lists_and_pages_of_links(page, expected):
    class Page(Folder):
        async def get(self, path, params=(), headers=()):
            return Reply(body=page, received_at=NOW)

    assert asyncio.run(client.names(Page())) == expected


def test_closed_markets_are_not_listed_as_open_and_other_sources_keys_ask_nothing():
    folder = Folder(**{"1_197931750": ended("LOSER", "WINNER", "LOSER")})
    assert asyncio.run(feed.open_markets(folder)).records == ()
    folder.asked.clear()
    assert asyncio.run(feed.books(folder, ("7" * 77, "t1-up"))).records == ()
    assert asyncio.run(feed.market_states(folder, ("0xab",))).records == ()
    assert folder.asked == []


def test_the_self_check_reads_the_newest_recording():
    folder = Folder(**{"1_197931750": started(), "1_197931759": started().replace(ID.encode(), b"1.197931759")})
    result = asyncio.run(VENDOR.check(folder))
    assert (result.is_good, result.message) == (True, "2 recordings; 1 markets in that of 1.197931759")
    assert asyncio.run(VENDOR.check(Folder())).is_good is False
    with suppress(NotAtVendor):
        asyncio.run(client.recording(Folder(), "1.197931750"))
