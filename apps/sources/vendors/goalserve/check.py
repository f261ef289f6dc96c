"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.goalserve import feed


async def check(caller: Caller) -> CheckResult:
    """Ask for today's matches of soccer and say how many can be read. Raises what the caller raises."""
    gathered = await feed.match_results(caller, ("soccernew/home",))
    count, refused = len(gathered.records), len(gathered.rejected)
    return CheckResult(is_good=refused <= count, message=f"{count} matches read, {refused} refused")
