"""Manifold: a market place for questions of all kinds, played with mana, which buys nothing: no order is ever placed here.

Prices are set by a market maker, not by an order book, so there are no books: a probability without depth is a price
at which nobody has offered anything. The history of prices is what bets moved them to. The pace is the documented one:
500 requests a minute for an address (https://docs.manifold.markets/api).
"""

from apps.sources.ports import Vendor
from apps.sources.vendors.manifold.check import check
from apps.sources.vendors.manifold.feed import market_states, open_markets, price_history

VENDOR = Vendor(
    slug="manifold",
    name="Manifold",
    base_url="https://api.manifold.markets/v0",
    rate_per_minute=500,
    check=check,
    open_markets=open_markets,
    market_states=market_states,
    price_history=price_history,
    fresh_s=3600.0,
)
