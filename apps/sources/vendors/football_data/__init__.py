"""football-data.co.uk: results and odds of football seasons as CSV files. No key; no published quota, so ours is small.

The default keys are the top divisions of England, Germany, Italy, Spain and France in the season 2024/25; name others
as season and division ("2526/E0").
"""

from apps.sources.ports import Vendor
from apps.sources.vendors.football_data.check import check
from apps.sources.vendors.football_data.client import BODY_BYTES_MAX
from apps.sources.vendors.football_data.feed import match_results, odds

VENDOR = Vendor(
    slug="football_data",
    name="football-data.co.uk",
    base_url="https://www.football-data.co.uk",
    rate_per_minute=20,
    check=check,
    odds=odds,
    match_results=match_results,
    default_keys=("2425/E0", "2425/D1", "2425/I1", "2425/SP1", "2425/F1"),
    fresh_s=None,
    body_bytes_max=BODY_BYTES_MAX,
)
