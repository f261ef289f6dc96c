"""football-data.co.uk: one CSV file for each season and division, public, without a key.

A key is season and division, "2425/E0": the file is `/mmz4281/2425/E0.csv`. The files of the running season grow twice
a week (https://www.football-data.co.uk/data.php).
"""

from __future__ import annotations

import re

from apps.sources.errors import NotAtVendor
from apps.sources.ports import Caller, Reply

BODY_BYTES_MAX = 4 * 1024 * 1024  # a season is a few hundred kilobytes
KEY = re.compile(r"(\d{2})(\d{2})/([A-Z]{1,3}\d?C?)", re.ASCII)


async def season(caller: Caller, key: str) -> Reply:
    """Ask for the file of a season and division. Raises NotAtVendor for a key that names none."""
    if not KEY.fullmatch(key):
        raise NotAtVendor(f"{key!r} is not a season and division such as 2425/E0")
    return await caller.get(f"/mmz4281/{key}.csv")
