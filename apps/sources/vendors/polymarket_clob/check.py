"""One small question to the live vendor."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.strict import as_mapping, as_rows, parse_json
from apps.sources.vendors.polymarket_clob import client


async def check(caller: Caller) -> CheckResult:
    """Ask for the first page of markets and say how many came. Raises what the caller raises."""
    reply = await client.markets(caller)
    page = as_mapping(parse_json(reply.body), what="the page of markets")
    rows = as_rows(page.get("data"), what="the list of markets")
    return CheckResult(is_good=bool(rows), message=f"{len(rows)} markets on the first page")
