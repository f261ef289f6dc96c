"""CoinGecko: prices, volumes and capitalisations of coins in US dollars, many in one call.

Works without a key at the public pace (about ten calls a minute, varying with the vendor's load); a free demo key
allows thirty: set COINGECKO_RATE_PER_MINUTE with it.
"""

from apps.sources.ports import KeyRule, Vendor
from apps.sources.vendors.coingecko.check import check
from apps.sources.vendors.coingecko.feed import tickers

VENDOR = Vendor(
    slug="coingecko",
    name="CoinGecko",
    base_url="https://api.coingecko.com",
    rate_per_minute=10,
    check=check,
    tickers=tickers,
    key=KeyRule(place="header", name="x-cg-demo-api-key", required=False),
    default_keys=("BTC", "ETH", "SOL"),
    fresh_s=None,
)
