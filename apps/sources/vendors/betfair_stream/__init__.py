"""Recordings of Betfair's exchange stream: historic files that the vendor sells, or recordings of one's own.

There is no public address: set BETFAIR_STREAM_BASE_URL to a folder (`file:///recordings`) or a file server.
"""

from apps.sources.ports import Vendor
from apps.sources.vendors.betfair_stream.check import check
from apps.sources.vendors.betfair_stream.client import BODY_BYTES_MAX
from apps.sources.vendors.betfair_stream.feed import books, market_states, open_markets

VENDOR = Vendor(
    slug="betfair_stream",
    name="Betfair stream recordings",
    base_url="",
    rate_per_minute=600,
    check=check,
    open_markets=open_markets,
    market_states=market_states,
    books=books,
    quotes_for=("betfair_stream",),
    fresh_s=None,
    body_bytes_max=BODY_BYTES_MAX,
)
