"""football-data.co.uk: one CSV file for each season and division, public, without a key.

A key is season and division, "2425/E0": the file is `/mmz4281/2425/E0.csv`. The files of the running season grow twice
a week (https://www.football-data.co.uk/data.php).
"""

from __future__ import annotations

import re
from datetime import datetime

from apps.sources.errors import NotAtVendor
from apps.sources.ports import Caller, Reply

BODY_BYTES_MAX = 4 * 1024 * 1024  # a season is a few hundred kilobytes
DIVISIONS = ("E0", "D1", "I1", "SP1", "F1")
FIRST_MONTH = 8  # the first files of a season appear in August
KEY = re.compile(r"(\d{2})(\d{2})/([A-Z]{1,3}\d?C?)", re.ASCII)


def season_keys(now: datetime) -> tuple[str, ...]:
    """Return the keys of the top divisions in the season that is on: "2627/E0" from August 2026 to July 2027."""
    first = now.year if now.month >= FIRST_MONTH else now.year - 1
    return tuple(f"{first % 100:02d}{(first + 1) % 100:02d}/{division}" for division in DIVISIONS)


def is_season(body: bytes) -> bool:
    """Tell whether a body is the file of a season: its head begins with the division, whatever else is in it."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip()[:4].startswith((b"Div,", b'"Div'))


async def season(caller: Caller, key: str) -> Reply:
    """Ask for the file of a season and division. Raises NotAtVendor for a key that names none."""
    if not KEY.fullmatch(key):
        raise NotAtVendor(f"{key!r} is not a season and division such as 2425/E0")
    return await caller.get(f"/mmz4281/{key}.csv")
