"""Polymarket Gamma: what markets there are and how they ended. No key needed."""

from apps.sources.ports import Vendor
from apps.sources.vendors.polymarket_gamma.check import check
from apps.sources.vendors.polymarket_gamma.feed import market_states, open_markets

VENDOR = Vendor(
    slug="polymarket_gamma",
    name="Polymarket Gamma",
    base_url="https://gamma-api.polymarket.com",
    rate_per_minute=100,
    check=check,
    open_markets=open_markets,
    market_states=market_states,
)
