"""Goalserve's addresses. The key stands in the path; `json=1` asks for JSON where XML is the habit.

Odds are asked for by sport as the vendor names it in `cat` ("soccer_10"); results of soccer are lists of a day:
`soccernew/home` is today's, `soccernew/d-1` yesterday's (https://www.goalserve.com, feed descriptions of the vendor).
"""

from __future__ import annotations

import re

from apps.sources.ports import Caller, Reply

BODY_BYTES_MAX = 100 * 1024 * 1024  # an answer with all soccer odds is seen at 80 MB
LIST = re.compile(r"soccer[a-z]{1,20}/[a-z0-9_-]{1,40}", re.ASCII)
RESULTS_OF = {"soccer_10": ("soccernew/home", "soccernew/d-1")}


def result_lists(key: str) -> tuple[str, ...]:
    """Return the lists of matches that a key stands for: those of a sport, or one named by its path."""
    return RESULTS_OF.get(key, (key,) if LIST.fullmatch(key) else ())


async def odds(caller: Caller, category: str) -> Reply:
    """Ask for all pre-match odds of a sport."""
    return await caller.get("/getfeed/{key}/getodds/soccer", (("cat", category), ("json", "1")))


async def results(caller: Caller, feed: str) -> Reply:
    """Ask for one list of matches, as XML."""
    return await caller.get(f"/getfeed/{{key}}/{feed}")
