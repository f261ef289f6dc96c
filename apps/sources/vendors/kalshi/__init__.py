"""Kalshi: an exchange of event contracts under US law. Market data is public and needs no key.

The pace is half of what the lowest tier of members may read (20 a second, https://docs.kalshi.com/getting_started/rate_limits):
the page does not say what is allowed without signing in. The desk only reads: orders would need a signed key.
"""

from apps.sources.ports import Vendor
from apps.sources.vendors.kalshi.check import check
from apps.sources.vendors.kalshi.feed import books, market_states, open_markets

VENDOR = Vendor(
    slug="kalshi",
    name="Kalshi",
    base_url="https://api.elections.kalshi.com/trade-api/v2",
    rate_per_minute=600,
    check=check,
    open_markets=open_markets,
    market_states=market_states,
    books=books,
    quotes_for=("kalshi",),
    fresh_s=3600.0,
)
