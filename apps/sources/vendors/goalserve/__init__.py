"""Goalserve: odds before the match of many bookmakers, and results. Needs a key, which goes into the path.

The vendor publishes no quota of calls but how often a feed changes; ours asks far less often than that.
"""

from apps.sources.ports import KeyRule, Vendor
from apps.sources.vendors.goalserve.check import check
from apps.sources.vendors.goalserve.client import BODY_BYTES_MAX
from apps.sources.vendors.goalserve.feed import match_results, odds

VENDOR = Vendor(
    slug="goalserve",
    name="Goalserve",
    base_url="https://www.goalserve.com",
    rate_per_minute=20,
    check=check,
    odds=odds,
    match_results=match_results,
    key=KeyRule(place="path"),
    default_keys=("soccer_10",),
    body_bytes_max=BODY_BYTES_MAX,
    deadline_s=120.0,  # an answer of all football can be 80 MB
)
