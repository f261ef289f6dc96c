"""Yahoo chart: daily bars and prices of indices, futures and shares. No key; the vendor publishes no quota, so ours is modest."""

from apps.sources.ports import Vendor
from apps.sources.vendors.yahoo.check import check
from apps.sources.vendors.yahoo.feed import candles, tickers

VENDOR = Vendor(
    slug="yahoo",
    name="Yahoo chart",
    base_url="https://query1.finance.yahoo.com",
    rate_per_minute=120,
    check=check,
    candles=candles,
    tickers=tickers,
    default_keys=("^GSPC", "^IXIC", "CL=F", "^VIX"),
)
