"""One small question to the live vendor."""

from __future__ import annotations

from functools import partial

from apps.sources.gathering import gather
from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.manifold import client, feed, wire

SIZE = 5


async def check(caller: Caller) -> CheckResult:
    """Ask for five open questions and say how many can be read. Raises what the caller raises."""
    reply = await client.open_markets(caller, 0, SIZE)
    rows = wire.read_list(reply.body)
    gathered = gather(rows, partial(feed.as_record, received_at=reply.received_at), key="id")
    reasons = "; ".join(rejected.reason for rejected in gathered.rejected)
    message = f"{len(gathered.records)} of {len(rows)} questions read" + (f": {reasons}" if reasons else "")
    return CheckResult(is_good=bool(gathered.records), message=message)
