"""Whatever JSON a prediction market answers, its feeds give records and named faults, or refuse the answer whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer
from apps.sources.ports import Gathered, Reply
from apps.sources.vendors.kalshi import feed as kalshi
from apps.sources.vendors.manifold import feed as manifold
from apps.sources.vendors.polymarket_clob import feed as clob
from apps.sources.vendors.polymarket_gamma import feed as gamma
from tests.factories.prediction_wires import (
    MANIFOLD_ID,
    NOW,
    TICKER,
    kalshi_book,
    kalshi_event,
    kalshi_market,
    kalshi_settled,
    manifold_market,
    manifold_resolved,
)
from tests.factories.wires import TOKENS, clob_book, gamma_market, settled

# Words of the wires, so that fuzzed objects come close to true ones.
NAMES = st.sampled_from(
    sorted(
        {*gamma_market(), *settled(), *kalshi_settled(), *kalshi_event(), *manifold_resolved("MKT"), *clob_book()}
        | {"markets", "events", "data", "next_cursor", "cursor", "history", "t", "p", "orderbook", "orderbook_fp"}
        | {"yes", "no", "yes_dollars", "no_dollars", "probAfter", "contractId"}
    )
)
TRUE_ONES = st.sampled_from(
    [gamma_market(), settled(), kalshi_market(), kalshi_settled(), kalshi_event(kalshi_market()), manifold_market(), clob_book()]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**40), max_value=10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["0.5", "1e400", "\ud800", "\x00", "9" * 50, "2026-06-08T00:00:00Z", "0001-01-01T00:00:00Z", "yes", "[]"])
)
JSON = st.recursive(
    LEAVES | TRUE_ONES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
BENT = st.builds(
    lambda true, changes: {**true, **changes},
    TRUE_ONES,
    st.dictionaries(NAMES, LEAVES | st.lists(LEAVES, max_size=2), max_size=3),
)
BODIES = st.builds(
    lambda value, wrapper: json.dumps(wrapper(value)).encode(),
    JSON | BENT | st.lists(BENT, max_size=3),
    st.sampled_from(
        [
            lambda value: value,
            lambda value: [value],
            *(
                lambda value, name=name: {name: value}
                for name in ("markets", "events", "data", "history", "orderbook", "orderbook_fp")
            ),
            lambda value: {"events": [{"markets": [value], "title": value}], "cursor": "a"},
            lambda value: {"markets": [value, value], "next_cursor": "a", "cursor": "a"},
            lambda value: {"orderbook_fp": kalshi_book(yes_dollars=value)},
        ]
    ),
)


class Always:
    """A caller that has one answer to everything."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    async def get(self, path: str, params: Any = (), headers: Any = ()) -> Reply:
        return Reply(body=self.body, received_at=NOW)

    async def post(self, path: str, body: object, *, repeatable: bool = True) -> Reply:
        return Reply(body=self.body, received_at=NOW)


Feed = Callable[[Always], Awaitable[Gathered[Any]]]
FEEDS: dict[str, Feed] = {
    "gamma list": gamma.open_markets,
    "gamma states": lambda caller: gamma.market_states(caller, ["0x" + "ab" * 32]),
    "clob books": lambda caller: clob.books(caller, list(TOKENS)),
    "clob history": lambda caller: clob.price_history(caller, TOKENS[0]),
    "kalshi list": kalshi.open_markets,
    "kalshi states": lambda caller: kalshi.market_states(caller, [TICKER]),
    "kalshi books": lambda caller: kalshi.books(caller, [f"kalshi:{TICKER}:yes", f"kalshi:{TICKER}:no"]),
    "manifold list": manifold.open_markets,
    "manifold states": lambda caller: manifold.market_states(caller, [MANIFOLD_ID]),
    "manifold history": lambda caller: manifold.price_history(caller, f"manifold:{MANIFOLD_ID}:yes"),
}


async def gathered(feed: Feed, body: bytes) -> Gathered[Any] | None:
    try:
        return await feed(Always(body))
    except BadAnswer:
        return None


@pytest.mark.parametrize("name", FEEDS)
@given(body=BODIES)
@settings(max_examples=150, deadline=None)
def test_a_feed_gives_records_and_reasons_or_refuses_the_answer(name, body):
    found = asyncio.run(gathered(FEEDS[name], body))
    if found is None:
        return
    assert all(row.reason and len(row.excerpt) <= 2_000 for row in found.rejected)
    assert "\x00" not in "".join(row.excerpt + row.key for row in found.rejected)
    for record in found.records:
        assert "\x00" not in repr(record)
        repr(record).encode()


@pytest.mark.parametrize("name", FEEDS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"<html>",
        b"\xef\xbb\xbf[",
        b"{",
        b"[NaN]",
        b"[1e999999999]",
        b"null",
        b"true",
        b'"text"',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_no_body_that_is_no_answer_is_taken_for_one(name, body):
    found = asyncio.run(gathered(FEEDS[name], body))
    assert found is None or found.records == ()
