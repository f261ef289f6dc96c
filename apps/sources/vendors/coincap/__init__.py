"""CoinCap v3: volume-weighted prices of coins in US dollars, many in one call. Needs a key (v2 without one is gone).

The vendor counts credits a month, by plan; the pace here is a modest one of our own.
"""

from apps.sources.ports import KeyRule, Vendor
from apps.sources.vendors.coincap.check import check
from apps.sources.vendors.coincap.feed import tickers

VENDOR = Vendor(
    slug="coincap",
    name="CoinCap",
    base_url="https://rest.coincap.io",
    rate_per_minute=60,
    check=check,
    tickers=tickers,
    key=KeyRule(place="header", name="Authorization", prefix="Bearer "),
    default_keys=("BTC", "ETH", "SOL"),
    fresh_s=None,
)
