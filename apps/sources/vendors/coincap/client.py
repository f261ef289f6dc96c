"""CoinCap's address and parameters (https://pro.coincap.io/api-docs)."""

from __future__ import annotations

from collections.abc import Sequence

from apps.sources.ports import Caller, Reply

COINS_PER_CALL = 100


async def assets(caller: Caller, ids: Sequence[str]) -> Reply:
    """Ask for some coins by id; those that are unknown are left out of the answer."""
    return await caller.get("/v3/assets", (("ids", ",".join(ids)), ("limit", str(COINS_PER_CALL))))
