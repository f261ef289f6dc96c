"""Where recordings of the stream are: a folder (`file:///…`) or an address, set as BETFAIR_STREAM_BASE_URL.

The address with a slash at its end is asked for the list of files: names one a line, or a page of links as file servers
make it. A file is named after its market ("1.197931750", "BASIC-1.132153978", packed as .gz or .bz2 or not), in folders
or not.
"""

from __future__ import annotations

import asyncio
import re

from apps.sources.ports import Caller, Reply
from apps.sources.unpacking import unpack

BODY_BYTES_MAX = 100 * 1024 * 1024
NAME = re.compile(r"""(?:^|["'>\s])((?:[\w-]+/)*(?:[A-Z]+-)?(1\.\d{6,12})(?:\.gz|\.bz2)?)(?=["'<\s]|$)""", re.ASCII)


async def names(caller: Caller) -> dict[str, str]:
    """Return the file of each market, by market id; of several the first by name. Oldest markets first."""
    reply = await caller.get("/")
    found = sorted(NAME.findall(reply.body.decode("utf-8", "replace")))
    by_market = {market: name for name, market in reversed(found)}
    return {market: by_market[market] for market in sorted(by_market, key=_number)}


def _number(market: str) -> int:
    return int(market.partition(".")[2])


async def recording(caller: Caller, name: str) -> tuple[Reply, bytes]:
    """Ask for a file and return the answer with its unpacked content. Raises BadAnswer when it cannot be unpacked."""
    reply = await caller.get(f"/{name}")
    return reply, await asyncio.to_thread(unpack, reply.body, size_max=BODY_BYTES_MAX)
