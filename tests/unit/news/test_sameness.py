"""One address for one article, and titles that tell the same news."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.news.canonical import canonical_url, digest_of
from apps.news.similarity import is_same_news, words_of

SAME = "https://example.com/news/story?id=7"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/news/story?id=7",
        "http://example.com/news/story?id=7",
        "https://www.Example.COM/news/story/?id=7",
        "https://m.example.com/news/story?id=7#comments",
        "https://mobile.example.com//news/story?id=7",
        "https://amp.example.com/news/story?id=7",
        "https://example.com/news/story/amp?id=7",
        "https://example.com/news/story/amp/?id=7&amp=1",
        "https://example.com/amp/news/story?id=7",
        "https://example.com/news/story.amp?id=7",
        "https://example.com/news/story/amp.html?id=7",
        "https://example.com:443/news/story?utm_source=x&id=7&UTM_medium=y&fbclid=z&gclid=q",
        "http://example.com:80/news/story?ref=home&id=7&outputType=amp",
        "https://example.com./news/story?id=7",
        "https://user:secret@example.com/news/story?id=7",
    ],
)
def test_forms_of_one_address_are_one(url):
    assert canonical_url(url) == SAME
    assert digest_of(url) == digest_of(SAME)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/news/story?id=8",
        "https://example.com/news/story",
        "https://example.com/news/other?id=7",
        "https://example.org/news/story?id=7",
        "https://blog.example.com/news/story?id=7",
        "https://example.com:8443/news/story?id=7",
        "https://example.com/news/Story?id=7",
        "https://example.com/news/story?7",
    ],
)
def test_addresses_of_two_articles_are_two(url):
    assert canonical_url(url) != SAME


def test_short_hosts_keep_their_names():
    assert canonical_url("https://m.com/a") == "https://m.com/a"
    assert canonical_url("https://amp.dev") == "https://amp.dev"


def test_the_order_of_parameters_means_nothing():
    assert canonical_url("https://a.example/?b=2&a=1") == canonical_url("https://a.example/?a=1&b=2")


path = st.text(alphabet="abcxyz019-_./", max_size=30)


@given(path, st.dictionaries(st.sampled_from(["id", "page", "utm_source", "ref"]), st.text(alphabet="abc09", max_size=5)))
def test_the_canonical_form_of_a_canonical_form_is_itself(tail, parameters):
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    once = canonical_url(f"http://www.example.com/{tail}?{query}")
    assert canonical_url(once) == once


def same(one, other):
    return is_same_news(words_of(one), words_of(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bitcoin climbs past $150,000 for the first time", "Bitcoin climbs past $150,000 for first time - Reuters"),
        ("Fed holds rates steady, signals two cuts this year", "Fed holds rates steady, signals two cuts this year | The Verge"),
        ("Fed’s Powell says rates to stay higher for longer", "Fed's Powell says rates to stay higher for longer"),
        ("BITCOIN CLIMBS PAST $150,000", "Bitcoin climbs past $150,000"),
        ("Café prices rise in São Paulo again", "Cafe prices rise in Sao Paulo again"),
        ("Market update", "Market update"),
    ],
)
def test_the_same_news_in_other_words_is_the_same(one, other):
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bitcoin falls below $60,000 as funds sell", "Bitcoin falls below $61,000 as funds sell"),
        ("Dow closes 100 points higher", "Nasdaq closes 100 points higher"),
        ("Market update Monday", "Market update Tuesday"),
        ("Apple beats estimates in the third quarter", "Tesla beats estimates in the third quarter"[:40]),
        ("Lakers beat Celtics in overtime thriller", "Rain expected in the north on Monday"),
        ("", ""),
    ],
)
def test_other_news_in_the_same_form_is_other_news(one, other):
    assert not same(one, other)


@given(st.text(max_size=200))
def test_every_title_with_words_is_the_same_as_itself(title):
    assert same(title, title) == bool(words_of(title))
