"""Google News: searching by RSS. No key; the vendor publishes no quota, so ours is modest."""

from apps.resilience.freshness import CacheRule
from apps.sources.ports import Vendor
from apps.sources.vendors.google_news.check import check
from apps.sources.vendors.google_news.feed import articles

VENDOR = Vendor(
    slug="google_news",
    name="Google News RSS",
    base_url="https://news.google.com",
    rate_per_minute=20,
    check=check,
    articles=articles,
    default_keys=("stock market", "prediction market", "bitcoin"),
    fresh_s=7200.0,
    cache=CacheRule(fresh_s=60.0),
    believes=lambda body: b"<rss" in body[:1000],
)
