"""Goalserve's answers in small, for tests to bend."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

SAID = 1_757_566_946
NOW = datetime.fromtimestamp(SAID + 10, tz=UTC)


def bookmaker(name="bet365", stop="False", ts=SAID, **inside: Any) -> dict[str, Any]:
    return {"id": "16", "name": name, "stop": stop, "ts": str(ts), **inside}


def odd(**said: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in said.items()]


def market(value="Match Winner", stop="False", bookmakers: Any = None) -> dict[str, Any]:
    offered = bookmakers if bookmakers is not None else [bookmaker(odds=odd(Home="1.85", Draw="3.5", Away="4.2"))]
    return {"id": "1", "value": value, "stop": stop, "bookmakers": offered}


def match(*markets: Any, **changes: Any) -> dict[str, Any]:
    return {
        "id": "6001",
        "static_id": "5001",
        "fix_id": "4001",
        "status": "22:30",
        "date": "Sep 11",
        "formatted_date": "11.09.2025",
        "time": "22:30",
        "venue": "",
        "localteam": {"id": "1", "name": "Reds", "goals": "?"},
        "visitorteam": {"id": "2", "name": "Blues", "goals": "?"},
        "ht": {"score": ""},
        "odds": list(markets) or [market()],
        **changes,
    }


def answer(*matches: Any, **frame: Any) -> dict[str, Any]:
    category = {"name": "Brazil: Cup", "gid": "7", "id": "8", "matches": list(matches) or [match()]}
    return {"scores": {"sport": "soccer", "ts": str(SAID + 5), "categories": [category], **frame}}
