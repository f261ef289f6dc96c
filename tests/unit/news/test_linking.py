"""What articles are tied to: precision on examples, and rules that hold for any text."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.news.linking import Listing, MarketMatcher, Question, instrument_links, spoken_name, telling_words, wish_of

QUESTIONS = {
    "btc150": "Will Bitcoin reach $150,000 by December 31, 2026?",
    "btc200": "Will Bitcoin reach $200,000 by December 31, 2026?",
    "fedcut": "Will the Fed cut rates in December?",
    "lakers": "Lakers vs. Celtics",
    "trump": "Will Donald Trump win the 2028 US Presidential Election?",
    "harris": "Will Kamala Harris win the 2028 US Presidential Election?",
    "newsom": "Will Gavin Newsom win the 2028 US Presidential Election?",
    "ceasefire": "Russia x Ukraine ceasefire in 2026?",
    "apple": "Will Apple announce a foldable iPhone before 2027?",
    "oscar": "Will 'Dune: Part Three' win Best Picture at the Oscars?",
}
MATCHER = MarketMatcher([Question(key, text) for key, text in QUESTIONS.items()])
LISTINGS = (
    Listing("gspc", "^GSPC", "S&P 500 (1999-2018, one bar every 6.0 s)", "index"),
    Listing("oil", "CL=F", "Crude Oil Jan 27", "future"),
    Listing("apple", "AAPL", "Apple Inc.", "equity"),
    Listing("btc", "BTCUSDT", "Bitcoin", "crypto"),
    Listing("vix", "^VIX", "CBOE Volatility Index", "index"),
)


def linked(title, summary=""):
    return [link.subject_id for link in MATCHER.links(title=title, summary=summary)]


def listed(title, summary="", symbols=()):
    return {link.subject_id: link.reason for link in instrument_links(LISTINGS, title=title, summary=summary, symbols=symbols)}


@pytest.mark.parametrize(
    ("title", "summary", "expected"),
    [
        ("Bitcoin tops $150K for the first time", "", ["btc150"]),
        ("Bitcoin seen at $200,000 next year", "", ["btc200"]),
        ("Fed seen cutting rates before year end", "", ["fedcut"]),
        ("Fed's Powell signals a cut of rates", "", ["fedcut"]),
        ("Celtics beat Lakers 110-99", "", ["lakers"]),
        ("Donald Trump leads early election poll", "", ["trump"]),
        ("Gavin Newsom to run for president", "The governor opens his presidential campaign.", ["newsom"]),
        ("Ukraine and Russia agree on a ceasefire", "", ["ceasefire"]),
        ("Apple to announce foldable iPhones", "", ["apple"]),
        ("Oscars: 'Dune: Part Three' is the favourite for best picture", "", ["oscar"]),
    ],
)
def test_articles_about_a_question_are_tied_to_it_alone(title, summary, expected):
    assert linked(title, summary) == expected


@pytest.mark.parametrize(
    ("title", "summary"),
    [
        ("Bitcoin slides as funds see outflows", ""),  # about the coin, not about a price that is asked for
        ("Lakers sign a new guard", "The team needs one."),
        ("Donald Trump speaks in Ohio", ""),  # a name is not yet the question
        ("Local election: who will win?", "All about the election."),
        ("Best pictures of the year", ""),
        ("Apple pie recipe", "Announce it to your friends."),
        ("Rates for parking cut in town", "The council cut them."),
        ("Dunes near Paris: part of the walk", ""),
        ("Market update", "What to watch today"),
        ("December weather", "Reach for your coat by December 31, 2026"),
        ("", ""),
    ],
)
def test_articles_about_something_else_are_tied_to_nothing(title, summary):
    assert linked(title, summary) == []


def test_a_word_of_the_question_in_the_summary_alone_does_not_make_a_link():
    assert linked("Ten things to know this morning", "Celtics meet Lakers") == []


def test_a_name_weighs_more_than_what_all_questions_say():
    (with_name,) = MATCHER.links(title="Donald Trump on the election", summary="")
    assert (with_name.subject_id, with_name.strength) == ("trump", Decimal("0.697"))
    assert linked("The 2028 presidential election: who will win?") == []


def test_at_most_five_markets_are_tied_the_strongest_first():
    many = MarketMatcher([Question(f"m{n}", "Ukraine and Russia ceasefire" + " in Kyiv" * (n % 2)) for n in range(9)])
    links = many.links(title="Ukraine Russia ceasefire", summary="")
    assert len(links) == 5
    assert [link.strength for link in links] == sorted((link.strength for link in links), reverse=True)


def test_without_questions_there_are_no_links():
    assert MarketMatcher([]).links(title="Anything at all", summary="") == ()


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_gives_strengths_that_are_shares(title, summary):
    for link in MATCHER.links(title=title, summary=summary):
        assert Decimal("0.6") <= link.strength <= 1
    for link in instrument_links(LISTINGS, title=title, summary=summary, symbols=()):
        assert 0 < link.strength <= 1


@given(st.sampled_from(sorted(QUESTIONS)))
def test_a_question_as_a_title_is_tied_to_its_own_market_first(key):
    links = MATCHER.links(title=QUESTIONS[key], summary="")
    assert (links[0].subject_id, links[0].strength) == (key, Decimal(1))


@pytest.mark.parametrize(
    ("title", "symbols", "expected"),
    [
        ("S&P 500 ends higher as Apple gains", (), {"gspc": "name", "apple": "name"}),
        ("Tech leads (NASDAQ: AAPL)", (), {"apple": "symbol"}),
        ("Whatever", ("AAPL",), {"apple": "symbol"}),
        ("Whatever", ("btc",), {"btc": "symbol"}),
        ("$AAPL to the moon", (), {"apple": "cashtag"}),
        ("$BTC and $VIX jump", (), {"btc": "cashtag", "vix": "cashtag"}),
        ("Crude oil falls on supply", (), {"oil": "name"}),
        ("$CL is Colgate, not oil", (), {}),
        ("apple pie recipe", (), {}),
        ("Apples are healthy", (), {}),
        ("Pineapple imports rise", (), {}),
        ("It cost $AAPLX", (), {}),
        ("S and P are letters", (), {}),
    ],
)
def test_instruments_are_found_by_symbol_cashtag_and_name(title, symbols, expected):
    assert listed(title, symbols=symbols) == expected


def test_a_name_in_the_summary_ties_less_strongly_than_in_the_title():
    (in_title,) = instrument_links(LISTINGS[2:3], title="Apple gains", summary="", symbols=())
    (in_summary,) = instrument_links(LISTINGS[2:3], title="Shares gain", summary="Apple leads", symbols=())
    assert in_title.strength > in_summary.strength


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        ("Apple Inc.", "Apple"),
        ("S&P 500 (1999-2018, one bar every 6.0 s)", "S&P 500"),
        ("Crude Oil Jan 27", "Crude Oil"),
        ("CBOE Volatility Index", "CBOE Volatility"),
        ("Berkshire Hathaway Inc. Class B", "Berkshire Hathaway Inc. Class B"),
        ("Index", "Index"),
    ],
)
def test_names_are_shortened_as_people_say_them(name, spoken):
    assert spoken_name(name) == spoken


@pytest.mark.parametrize(
    ("question", "wish"),
    [
        ("Will Gavin Newsom win the 2028 Democratic nomination?", "Gavin Newsom"),
        ("Will Bitcoin reach $150,000 by December 31, 2026?", "Bitcoin"),
        ("Will the Fed cut rates in December?", "Fed"),
        ("will it rain?", ""),
    ],
)
def test_a_question_is_searched_for_by_its_names(question, wish):
    assert wish_of(question) == wish


def test_years_dates_and_common_words_tell_nothing():
    assert telling_words("Will it end by Dec 31, 2026, or on 1 May 2027?") == frozenset()
    assert telling_words("Coins at $150k, 1,250.5 and 7.5%") == {"coin", "150000", "1250.5", "7.5"}
