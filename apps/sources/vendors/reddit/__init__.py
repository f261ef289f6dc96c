"""Reddit: searching posts. Public listings without a key; with a token set the address to https://oauth.reddit.com too."""

from apps.sources.ports import KeyRule, Vendor
from apps.sources.vendors.reddit.check import check
from apps.sources.vendors.reddit.feed import articles

VENDOR = Vendor(
    slug="reddit",
    name="Reddit",
    base_url="https://www.reddit.com",
    rate_per_minute=60,
    check=check,
    articles=articles,
    key=KeyRule(place="header", name="Authorization", prefix="bearer ", required=False),
    default_keys=("stock market", "prediction market", "bitcoin"),
    fresh_s=7200.0,
)
