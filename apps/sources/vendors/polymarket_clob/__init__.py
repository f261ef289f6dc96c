"""Polymarket's central limit order book: prices with depth. No key needed for reading."""

from apps.sources.ports import Vendor
from apps.sources.vendors.polymarket_clob.check import check
from apps.sources.vendors.polymarket_clob.feed import books, price_history

VENDOR = Vendor(
    slug="polymarket_clob",
    name="Polymarket CLOB",
    base_url="https://clob.polymarket.com",
    rate_per_minute=300,
    check=check,
    books=books,
    price_history=price_history,
    quotes_for=("polymarket_gamma",),
)
