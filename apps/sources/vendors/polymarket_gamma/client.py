"""Gamma's addresses and parameters.

Lists are read by keyset: `after_cursor` names the place, `next_cursor` in the answer the following one, and its
absence the end (https://docs.polymarket.com/api-reference/markets/list-markets-keyset-pagination). A page holds at most
100 markets whatever is asked for, so a short page is no end. A parameter named `cursor` is ignored and gives the first
page for ever. `closed` is always said: without it markets hide the closed ones and `/events` shows both kinds.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.sources.ports import Caller, Params, Reply

PAGE_SIZE = 100
# A condition id takes 81 characters of the address; servers cut addresses at 8,192.
KEYS_PER_PAGE = 50


async def page(caller: Caller, *, closed: bool, cursor: str = "", keys: Sequence[str] = (), size: int = PAGE_SIZE) -> Reply:
    """Ask for one page of markets, open or closed ones, all or those with the given condition ids."""
    params: Params = (("limit", str(size)), ("closed", "true" if closed else "false"))
    if not keys:
        # The most traded come first, so that a cut list is cut where it matters least.
        params += (("order", "volume24hr"), ("ascending", "false"))
    params += tuple(("condition_ids", key) for key in keys)
    if cursor:
        params += (("after_cursor", cursor),)
    return await caller.get("/markets/keyset", params)
