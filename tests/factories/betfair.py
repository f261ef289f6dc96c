"""Lines of Betfair's stream in small, for tests to bend."""

from __future__ import annotations

import json
from typing import Any

PT = 1_650_392_673_420
ID, PLACES = "1.197931750", "1.197931751"


def definition(*fates: str, status="OPEN", winners=1, **changes: Any) -> dict[str, Any]:
    runners = [
        {"id": 10 + n, "status": fate, "sortPriority": n, "name": f"R{n}"} for n, fate in enumerate(fates or ("ACTIVE",) * 3)
    ]
    return {
        "bettingType": "ODDS",
        "marketType": "WIN",
        "status": status,
        "inPlay": False,
        "numberOfWinners": winners,
        "eventId": "31389771",
        "eventTypeId": "4339",
        "eventName": "Sheffield 19th Apr",
        "name": "OR 280m",
        "marketBaseRate": 5,
        "marketTime": "2022-04-19T18:26:00.000Z",
        "runners": runners,
        **changes,
    }


def line(*changes: dict[str, Any], pt=PT, **extra: Any) -> bytes:
    return json.dumps({"op": "mcm", "clk": "A", "pt": pt, "mc": list(changes), **extra}).encode() + b"\n"


def change(definition: Any = None, *rc: Any, id=ID, **extra: Any) -> dict[str, Any]:
    said = {"id": id, **extra}
    if definition is not None:
        said["marketDefinition"] = definition
    return {**said, "rc": list(rc)} if rc else said


def prices(id=10, **ladders: Any) -> dict[str, Any]:
    return {"id": id, **ladders}


def started(*rc: Any, **changes: Any) -> bytes:
    return line(change(definition(**changes), *rc, img=True))
