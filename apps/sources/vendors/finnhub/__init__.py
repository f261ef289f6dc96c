"""Finnhub: prices and news of shares listed in the United States. Needs a key; a free one allows 60 calls a minute."""

from apps.sources.ports import KeyRule, Vendor
from apps.sources.vendors.finnhub.check import check
from apps.sources.vendors.finnhub.feed import tickers
from apps.sources.vendors.finnhub.news import articles

VENDOR = Vendor(
    slug="finnhub",
    name="Finnhub",
    base_url="https://finnhub.io",
    rate_per_minute=60,
    check=check,
    tickers=tickers,
    articles=articles,
    key=KeyRule(place="header", name="X-Finnhub-Token"),
    default_keys=("AAPL", "MSFT", "NVDA"),
    fresh_s=None,
)
