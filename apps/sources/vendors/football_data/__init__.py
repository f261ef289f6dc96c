"""football-data.co.uk: results and odds of football seasons as CSV files. No key; no published quota, so ours is small.

The desk asks for the top divisions of England, Germany, Italy, Spain and France in the season that is on; name others as
season and division ("2526/E0"). The files change a few times a week: an answer is kept for an hour, and after that the
vendor is asked only whether it changed.
"""

from apps.resilience.freshness import CacheRule
from apps.sources.ports import Vendor
from apps.sources.vendors.football_data.check import check
from apps.sources.vendors.football_data.client import BODY_BYTES_MAX, is_season, season_keys
from apps.sources.vendors.football_data.feed import match_results, odds

VENDOR = Vendor(
    slug="football_data",
    name="football-data.co.uk",
    base_url="https://www.football-data.co.uk",
    rate_per_minute=20,
    check=check,
    odds=odds,
    match_results=match_results,
    keys_at=season_keys,
    cache=CacheRule(fresh_s=3600.0),
    believes=is_season,
    fresh_s=None,
    body_bytes_max=BODY_BYTES_MAX,
)
