"""Walking through pages always ends, whatever the vendor does with its cursors."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer, VendorAway, VendorRefused
from apps.sources.paging import walk
from apps.sources.ports import Gathered
from apps.sources.types import Rejected
from tests.integration.markets.making import listed

PAGES_MAX = 50


def page(*numbers, following="", rejected=()):
    """A page with the markets of these numbers."""
    bad = tuple(Rejected(reason="bad", excerpt=key, key=key) for key in rejected)
    return Gathered(records=tuple(listed(number) for number in numbers), rejected=bad), following


def walked(*pages, pages_max=PAGES_MAX):
    """What comes of these pages (or errors), given one after the other and the last for ever, and which cursors were asked."""
    asked = []
    left = list(pages)

    async def ask(cursor):
        asked.append(cursor)
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    gathered = asyncio.run(walk(ask, pages_max=pages_max))
    return [record.key for record in gathered.records], gathered, asked


def test_pages_follow_each_other_until_none_does():
    keys, gathered, asked = walked(page(1, 2, following="a"), page(3, following="b"), page())
    assert (keys, asked, gathered.complete) == (["0x1", "0x2", "0x3"], ["", "a", "b"], True)


def test_a_market_that_moved_from_page_to_page_is_listed_once_as_seen_last():
    newer = Gathered(records=(listed(2, question="Newer?"), listed(3)))
    keys, gathered, _ = walked(page(1, 2, following="a"), (newer, ""))
    assert keys == ["0x1", "0x2", "0x3"]
    assert gathered.records[1].question == "Newer?"
    assert gathered.complete


@pytest.mark.parametrize(
    "pages",
    [
        [page(1, 2, following="a")],  # the vendor ignores the cursor: the same page for ever
        [page(1, following="a"), page(2, following="a")],  # the cursor stands still
        [page(1, following="a"), page(2, following="b"), page(3, following="a")],  # the cursors go round
        [page(1, 2, following="a"), page(following="b")],  # the list shrank: an empty page with a cursor
        [page(1, 2, following="a"), page(2, 1, following="b")],  # an old page under a new cursor
    ],
)
def test_pages_that_go_round_end_and_the_list_is_incomplete(pages):
    keys, gathered, asked = walked(*pages)
    assert len(asked) <= 3
    assert not gathered.complete
    assert keys[0] == "0x1"


def test_bad_rows_are_news_too_and_each_is_named_once():
    _, gathered, asked = walked(page(1, following="a", rejected=["x"]), page(following="b", rejected=["x", "y"]), page(2))
    assert [row.key for row in gathered.rejected] == ["x", "y"]
    assert (len(asked), gathered.complete) == (3, True)


def test_a_long_list_is_cut_on_purpose_and_stays_whole():
    keys, gathered, asked = walked(page(1, following="a"), page(2, following="b"), page(3, following="c"), pages_max=2)
    assert (keys, len(asked), gathered.complete) == (["0x1", "0x2"], 2, True)


@pytest.mark.parametrize(("error", "rejected"), [(VendorAway("away"), 0), (BadAnswer("HTML", excerpt="<html>"), 1)])
def test_a_later_page_that_cannot_be_had_leaves_the_list_incomplete(error, rejected):
    keys, gathered, asked = walked(page(1, following="a"), error)
    assert (keys, len(gathered.rejected), gathered.complete, len(asked)) == (["0x1"], rejected, False, 2)


@pytest.mark.parametrize("error", [VendorAway("away"), BadAnswer("HTML"), VendorRefused("no")])
def test_what_the_first_page_raises_is_raised(error):
    with pytest.raises(type(error)):
        walked(error)


def test_a_refusal_in_the_middle_is_no_matter_of_coming_again():
    with pytest.raises(VendorRefused):
        walked(page(1, following="a"), VendorRefused("no"))


pages = st.builds(
    lambda numbers, following: page(*numbers, following=following),
    st.lists(st.integers(1, 6), max_size=3),
    st.sampled_from(["", "a", "b", "c"]),
)


@given(st.lists(pages, min_size=1, max_size=6))
def test_whatever_the_pages_the_walk_ends_with_each_market_once(said):
    keys, _gathered, asked = walked(*said)
    assert len(asked) <= 5
    assert len(keys) == len(set(keys))
    assert {record.key for record in said[0][0].records} <= set(keys)
