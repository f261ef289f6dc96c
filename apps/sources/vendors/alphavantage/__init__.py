"""Alpha Vantage: daily bars and prices of shares. Needs a key; a free one allows 5 calls a minute and 25 a day."""

from apps.sources.ports import KeyRule, Vendor
from apps.sources.vendors.alphavantage.check import check
from apps.sources.vendors.alphavantage.feed import candles, tickers

VENDOR = Vendor(
    slug="alphavantage",
    name="Alpha Vantage",
    base_url="https://www.alphavantage.co",
    rate_per_minute=5,
    check=check,
    candles=candles,
    tickers=tickers,
    key=KeyRule(place="param", name="apikey"),
    default_keys=("AAPL",),
    fresh_s=None,
)
