"""The CLOB's addresses and parameters (https://docs.polymarket.com)."""

from __future__ import annotations

from collections.abc import Sequence

from apps.sources.ports import Caller, Reply

BOOKS_PER_CALL = 100
HISTORY_MINUTES = 1


async def books(caller: Caller, token_ids: Sequence[str]) -> Reply:
    """Ask for the books of some outcomes at once; outcomes without a book are left out of the answer."""
    return await caller.post("/books", [{"token_id": token_id} for token_id in token_ids])


async def prices_history(caller: Caller, token_id: str) -> Reply:
    """Ask for the last day of an outcome's price, by the minute."""
    params = (("market", token_id), ("interval", "1d"), ("fidelity", str(HISTORY_MINUTES)))
    return await caller.get("/prices-history", params)


async def markets(caller: Caller) -> Reply:
    """Ask for the first page of the exchange's markets."""
    return await caller.get("/markets")
