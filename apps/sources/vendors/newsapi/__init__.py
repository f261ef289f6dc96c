"""NewsAPI: searching the articles of many publishers. Needs a key; the quota is a hundred calls a minute."""

from apps.sources.ports import KeyRule, Vendor
from apps.sources.vendors.newsapi.check import check
from apps.sources.vendors.newsapi.feed import articles

VENDOR = Vendor(
    slug="newsapi",
    name="NewsAPI",
    base_url="https://newsapi.org",
    rate_per_minute=100,
    check=check,
    articles=articles,
    key=KeyRule(place="header", name="X-Api-Key"),
    default_keys=("stock market", "prediction market", "bitcoin"),
    fresh_s=7200.0,
)
