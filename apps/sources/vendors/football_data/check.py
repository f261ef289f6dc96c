"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.football_data import feed

SEASON = "2425/E0"


async def check(caller: Caller) -> CheckResult:
    """Ask for one finished season and say how many matches can be read. Raises what the caller raises."""
    gathered = await feed.match_results(caller, (SEASON,))
    count, refused = len(gathered.records), len(gathered.rejected)
    return CheckResult(is_good=count > refused, message=f"{count} matches of {SEASON} read, {refused} refused")
