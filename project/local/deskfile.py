"""`desk.json`: how other programs find a running desk. It exists only while the desk runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from project.local.privately import write_privately

SERVERS = ("postgres", "valkey")  # of these there is one; of everything else a list
LISTED = ("web", "worker_fetch", "worker_forecast", "worker_money", "worker_backup", "worker_upkeep", "beat", "world")


@dataclass(frozen=True, slots=True)
class DeskDescription:
    """What a program needs to talk to the desk; `world` is None when the desk runs on the real vendors."""

    web: str
    world: str | None
    database_url: str
    redis_url: str
    tenant: str
    staff_user: str
    ops_token: str

    def as_document(self, pids: Mapping[str, int]) -> dict[str, Any]:
        """Return the document with the process ids of this moment; a server that is not ours has none."""
        listed = {name: [pids[name]] if name in pids else [] for name in LISTED}
        servers = {name: pids.get(name) for name in SERVERS}
        return {name: getattr(self, name) for name in self.__slots__} | {"pids": listed | servers}


def write_desk_file(path: Path, description: DeskDescription, pids: Mapping[str, int]) -> None:
    """Replace the file, readable by its owner alone."""
    write_privately(path, json.dumps(description.as_document(pids), indent=1) + "\n")
