"""X/Twitter v2: searching recent posts. Needs a bearer token; the quota is fifteen calls a minute."""

from apps.sources.ports import KeyRule, Vendor
from apps.sources.vendors.twitter.check import check
from apps.sources.vendors.twitter.feed import articles

VENDOR = Vendor(
    slug="twitter",
    name="X/Twitter",
    base_url="https://api.twitter.com",
    rate_per_minute=15,
    check=check,
    articles=articles,
    key=KeyRule(place="header", name="Authorization", prefix="Bearer "),
    default_keys=("stock market", "prediction market", "bitcoin"),
    fresh_s=7200.0,
)
