"""One small question to the live vendor that costs nothing."""

from __future__ import annotations

from apps.sources.ports import Caller, CheckResult
from apps.sources.vendors.openai import client, wire


async def check(caller: Caller) -> CheckResult:
    """Ask which models there are. Raises what the caller raises."""
    reply = await client.models(caller)
    count = wire.count_models(reply.body)
    return CheckResult(is_good=count > 0, message=f"{count} models")
