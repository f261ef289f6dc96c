"""Text made plain, addresses and moments believed or not, XML within fences, and wishes joined into searches."""

from __future__ import annotations

import asyncio
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sources.errors import BadAnswer, BadRow, VendorAway
from apps.sources.gates.articles import AGE_MAX, AHEAD_MAX, believed
from apps.sources.plain_text import cut, plain
from apps.sources.ports import Gathered
from apps.sources.searching import Found, has_calls_left, joined, search_each
from apps.sources.strict_xml import DEPTH_MAX, parse_xml

NOW = datetime(2026, 6, 8, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("<p>One</p><p>Two</p>", "One Two"),
        ("a<br>b", "a b"),
        ("AT&amp;T &lt;3 &#39;x&#39; &nbsp; y", "AT&T <3 'x' y"),
        ("<script>alert(1)</script>Hi<style>b{}</style>", "Hi"),
        ("line one\r\nline two\ttab\x00\x07end", "line one line two tab end"),
        ("abc\u202edef\u2066x\u200b\ufeff", "abcdefx"),
        ("profit < 5 % and > 3 %", "profit < 5 % and > 3 %"),
        ("<img src=x onerror=alert(1)>", ""),
        ("e\u0301", "\u00e9"),
        ("<a href='javascript:x'>link</a>", "link"),
    ],
)
def test_only_what_a_page_would_show_is_left(text, shown):
    assert plain(text, 100) == shown


@given(st.text(max_size=400), st.integers(1, 60))
def test_what_is_left_is_short_one_line_and_without_controls(text, length):
    shown = plain(text, length)
    assert len(shown) <= length
    assert shown == shown.strip()
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in shown)


@given(st.text(max_size=200), st.integers(2, 50))
def test_a_cut_keeps_the_beginning(text, length):
    shorter = cut(text, length)
    assert shorter == text or (shorter.endswith("…") and text.startswith(shorter[:-1]))


def test_hostile_markup_costs_little():
    assert len(plain("<" * 3_000_000, 100)) <= 100
    assert plain("<b>" * 1_000_000, 100) == ""


def article(**changes):
    row: dict[str, Any] = {
        "key": "k", "kind": "news", "url": "https://a.example/1", "title": "T", "summary": "", "publisher": "", "language": "EN",
        "published_at": NOW, "received_at": NOW,
    }  # fmt: skip
    return believed(**row | changes)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "file:///etc/passwd", "ftp://a.example/1", "https://", "//a.example/1", "a.example", "", "https://a.example/a b",
     "https://[::1", "https://a.example:99999/", "https://a.example/\x07", "https://a.example/" + "x" * 1000],
)  # fmt: skip
def test_what_is_no_link_is_refused(url):
    with pytest.raises(BadRow, match="url is"):
        article(url=url)


def test_the_edges_of_the_gate_for_time():
    assert article(published_at=NOW + AHEAD_MAX).published_at == NOW
    assert article(published_at=NOW - AGE_MAX).published_at == NOW - AGE_MAX
    with pytest.raises(BadRow, match="in the future"):
        article(published_at=NOW + AHEAD_MAX + timedelta(seconds=1))
    with pytest.raises(BadRow, match="31 days ago"):
        article(published_at=NOW - AGE_MAX - timedelta(seconds=1))


def test_long_keys_become_their_digest_and_symbols_are_cleaned():
    assert (len(article(key="k" * 121).key), article(key="k" * 120).key) == (64, "k" * 120)
    assert article(symbols=[" aapl", "AAPL", "", "x" * 21]).symbols == ("AAPL",)
    assert article(score=10**12).score == 2**31 - 1


BOMB = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><rss>&b;</rss>'
FILE = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss>&x;</rss>'


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (BOMB, "document type"),
        (FILE, "document type"),
        (b"<!DOCTYPE html><html></html>", "document type"),
        (BOMB.decode().replace('version="1.0"', 'version="1.0" encoding="UTF-16"').encode("utf-16"), "document type"),
        (b"<a>" * (DEPTH_MAX + 1) + b"</a>" * (DEPTH_MAX + 1), "nested too deeply"),
        (b"<rss><a></rss>", "not XML"),
        (b"<rss>&undefined;</rss>", "not XML"),
        (b'{"status": "ok"}', "not XML"),
        (b"", "empty"),
        (b"  ", "empty"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "not XML"),
        (b"<rss>\xff\xfe</rss>", "not XML"),
    ],
)
def test_xml_beyond_the_fences_is_refused(body, reason):
    with pytest.raises(BadAnswer, match=reason):
        parse_xml(body)


def test_xml_within_the_fences_is_read():
    root = parse_xml('<?xml version="1.0" encoding="UTF-8"?><rss a="1"><b>x &amp; é<![CDATA[<!DOCTYPE y>]]></b></rss>'.encode())
    assert (root.tag, root.get("a"), root.findtext("b")) == ("rss", "1", "x & é<!DOCTYPE y>")


@given(st.lists(st.text(max_size=40), max_size=30), st.integers(5, 80), st.integers(1, 4))
def test_searches_are_few_and_short_and_hold_each_wish_once(wishes, length, count):
    searches = joined(wishes, length_max=length, searches_max=count)
    assert len(searches) <= count
    assert all(len(search) <= length for search in searches)
    phrases = [phrase for search in searches for phrase in search.split(" OR ")]
    assert all(phrase.count('"') == 2 for phrase in phrases) or any(" OR " in wish for wish in wishes)


def test_wishes_are_quoted_and_joined():
    wishes = ["crude oil", 'S&P "500"', "crude oil", "  ", "x" * 99]
    assert joined(wishes, length_max=40, searches_max=3) == ('"crude oil" OR "S&P 500"',)
    assert joined(["aaa", "bbb", "ccc"], length_max=6, searches_max=2) == ('"aaa"', '"bbb"')
    assert joined([], length_max=40, searches_max=3) == ()


def run(outcomes):
    """Ask one question for each outcome: a record, a failure, or the last record of a quota."""
    left = list(outcomes)

    async def ask(search):
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return Found(gathered=Gathered(records=(outcome,)), may_ask_more=not outcome.endswith("."))

    return asyncio.run(search_each([str(n) for n in range(len(outcomes))], ask)), left


def test_what_came_is_kept_when_a_later_question_fails():
    gathered, left = run(["a", VendorAway("later"), "c"])
    assert (gathered.records, gathered.complete, left) == (("a",), False, ["c"])
    gathered, left = run(["a", BadAnswer("odd", excerpt="x"), "c"])
    assert (gathered.records, gathered.complete, left) == (("a", "c"), False, [])
    assert [rejected.reason for rejected in gathered.rejected] == ["odd"]


@pytest.mark.parametrize("failure", [VendorAway("later"), BadAnswer("odd")])
def test_when_the_first_question_fails_so_does_the_fetch(failure):
    with pytest.raises(type(failure)):
        run([failure, "b"])


def test_a_quota_that_is_used_up_ends_the_questions():
    gathered, left = run(["a.", "b"])
    assert (gathered.records, gathered.complete, left) == (("a.",), False, ["b"])
    gathered, _ = run(["a", "b."])
    assert (gathered.records, gathered.complete) == (("a", "b."), True)


@pytest.mark.parametrize(
    ("value", "has_more"), [("593.0", True), ("1", True), ("0", False), ("0.4", False), ("-1", False), ("x", True), (None, True)]
)
def test_the_vendors_count_of_calls_left_is_read(value, has_more):
    assert has_calls_left({} if value is None else {"n": value}, "n") is has_more
