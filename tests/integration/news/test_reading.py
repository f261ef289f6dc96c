"""What others may ask of the news, and the list that the API makes of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from apps.markets.errors import InstrumentNotFound, MarketNotFound
from apps.markets.models import Event, Instrument, Market
from apps.monitoring import report
from apps.news import selectors, services
from apps.news.models import ArticleLink
from tests.factories.articles import NOW, finnhub_item, newsapi_article, newsapi_page, rss, rss_item

pytestmark = pytest.mark.django_db


def market_asking(question, key, **more):
    event = Event.objects.create(source="polymarket_gamma", source_key=key, title=question, category="crypto", created_at=NOW)
    fields = {"closes_at": NOW + timedelta(days=30), "last_seen_at": NOW, "created_at": NOW, "pays": "binary", "state": "open"}
    return Market.objects.create(
        event=event, source="polymarket_gamma", source_key=key, slug=key, question=question, category="crypto", **fields | more
    )


@pytest.fixture
def desk(press):
    """A desk that follows Apple and three questions, with one tick of news in the store."""
    apple = Instrument.objects.create(
        source="yahoo", symbol="AAPL", name="Apple Inc.", kind="equity", currency="USD", created_at=NOW
    )
    bitcoin = market_asking("Will Bitcoin reach $150,000 by December 31, 2026?", "0x1", volume=900)
    rates = market_asking("Will the Fed cut rates in December?", "0x2", volume=800)
    closed = market_asking("Will Bitcoin reach $150,000 this week?", "0x3", state="resolved")
    rolled = market_asking("Apple above 200 at the close", "0x4", instrument=apple)
    press.says_by_source = {
        "newsapi": newsapi_page(newsapi_article()),
        "google_news": rss(rss_item("Ten gardens to visit", guid="CBMiXYZ")),
        "finnhub": [finnhub_item()],
    }
    services.refresh_news(now=NOW, by="test")
    return {"press": press, "apple": apple, "bitcoin": bitcoin, "rates": rates, "closed": closed, "rolled": rolled}


def test_articles_are_tied_to_the_open_market_and_the_instrument_that_they_are_about(desk):
    (about_bitcoin,) = selectors.articles_of_market(desk["bitcoin"].id, limit=10)
    assert about_bitcoin.article.title == "Bitcoin climbs past $150,000 for the first time"
    assert (about_bitcoin.reason, about_bitcoin.strength) == ("keywords", Decimal("1.000"))
    (about_apple,) = selectors.articles_of_instrument(desk["apple"].id, limit=10)
    assert (about_apple.article.title, about_apple.reason) == ("Apple unveils new chips", "symbol")
    assert selectors.articles_of_market(desk["rates"].id, limit=10) == ()
    assert selectors.articles_of_market(desk["closed"].id, limit=10) == ()
    assert ArticleLink.objects.count() == 2


def test_a_market_on_an_instrument_has_the_news_of_the_instrument(desk):
    assert [one.article.title for one in selectors.articles_of_market(desk["rolled"].id, limit=10)] == ["Apple unveils new chips"]


def test_the_desk_searches_for_what_it_follows(desk):
    asked = {slug: dict(desk["press"].asked(slug)[0].query) for slug in ("newsapi", "google_news")}
    assert asked["newsapi"]["q"] == '"Apple" OR "Bitcoin" OR "Fed"'
    assert asked["google_news"]["q"] == '"Apple" OR "Bitcoin" OR "Fed" when:7d'
    shares = [dict(question.query).get("symbol") for question in desk["press"].asked("finnhub")]
    assert shares == [None, "AAPL"]
    assert dict(desk["press"].asked("finnhub")[1].query)["from"] == "2026-06-01"


def test_unknown_markets_and_instruments_are_not_found(desk):
    with pytest.raises(MarketNotFound):
        selectors.articles_of_market("mkt_none", limit=5)
    with pytest.raises(InstrumentNotFound):
        selectors.articles_of_instrument("ins_none", limit=5)


def test_the_api_lists_articles_with_exactly_these_fields(desk, ops):
    (article,) = ops.get(f"/api/v1/articles/?market={desk['bitcoin'].id}").json()["results"]
    identity = article.pop("id")
    assert identity.startswith("art_")
    assert article == {
        "kind": "news", "source": "newsapi", "url": "https://www.reuters.com/markets/bitcoin-150000?utm_source=newsapi",
        "title": "Bitcoin climbs past $150,000 for the first time", "summary": "The coin has doubled in a year.",
        "publisher": "Reuters", "language": "en", "published_at": "2026-06-08T11:30:00Z", "received_at": "2026-06-08T12:00:00Z",
        "score": None, "symbols": [],
    }  # fmt: skip
    assert ops.get(f"/api/v1/articles/{identity}/").json()["title"] == article["title"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("kind=news", 3),
        ("kind=post", 0),
        ("source=finnhub", 1),
        ("publisher=CNBC", 1),
        ("published_since=2026-06-08T11:35:00Z", 2),
        ("published_before=2026-06-08T11:35:00Z", 1),
        ("instrument=ins_none", 0),
    ],
)
def test_filters_narrow_the_list(desk, ops, query, count):
    assert len(ops.get(f"/api/v1/articles/?{query}").json()["results"]) == count


def test_the_list_is_in_the_order_that_was_asked_for_and_paged(desk, ops):
    page = ops.get("/api/v1/articles/?ordering=published_at&limit=2").json()
    rest = ops.get(page["next"]).json()
    titles = [row["title"] for row in page["results"] + rest["results"]]
    assert titles == ["Bitcoin climbs past $150,000 for the first time", "Ten gardens to visit", "Apple unveils new chips"]


@pytest.mark.parametrize("query", ["ordering=score", "kind=rumour", "published_since=yesterday"])
def test_a_wrong_parameter_is_a_400_that_names_it(desk, ops, query):
    answer = ops.get(f"/api/v1/articles/?{query}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [query.split("=")[0]])


def test_the_report_counts_them(desk):
    assert report.counts()["articles_stored"] == 3


def test_staff_see_them_and_cannot_change_them(desk, staff):
    for page in ("article", "articlesighting", "articlelink"):
        assert staff_sees(staff, f"/admin/news/{page}/") == 200
        assert staff_sees(staff, f"/admin/news/{page}/add/") == 403


def staff_sees(client, path):
    from apps.accounts.models import User

    User.objects.filter(username="olga").update(is_superuser=True)
    return client.get(path).status_code
