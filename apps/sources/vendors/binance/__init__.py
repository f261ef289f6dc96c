"""Binance spot: daily bars and 24-hour figures of coins against USDT. No key.

Published quota: 6,000 weight a minute and address; the heaviest question asked here (all tickers at once) weighs 80.
"""

from apps.sources.ports import Vendor
from apps.sources.vendors.binance.check import check
from apps.sources.vendors.binance.feed import candles, tickers

VENDOR = Vendor(
    slug="binance",
    name="Binance",
    base_url="https://api.binance.com",
    rate_per_minute=75,
    check=check,
    candles=candles,
    tickers=tickers,
    default_keys=("BTC", "ETH", "SOL"),
)
