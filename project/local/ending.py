"""When a recorded world is over: played to its end and everything settled, or out of time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.clock import now
from project.local.clock import monotonic_s
from project.local.probe import read_json

LOOK_EVERY_S = 3.0
GRACE_S = 180.0  # after the world's end: the last settlements, then patience is over

RunManage = Callable[..., tuple[int, str]]


@dataclass(slots=True)
class Ending:
    """Watches the world's clock and the desk's open business; `missing` says what was not done in time."""

    world_port: int
    run_manage: RunManage
    started_s: float
    missing: str = ""
    _deadline_s: float | None = None
    _next_look_s: float = 0.0

    def has_come(self) -> bool:
        """Whether the run is over; looks at most every three seconds."""
        if monotonic_s() < self._next_look_s:
            return False
        status = read_json(self.world_port, "/_world/status")
        is_over = self._is_settled(status) or self._is_out_of_time(status)
        self._next_look_s = monotonic_s() + LOOK_EVERY_S
        return is_over

    def _is_settled(self, status: dict[str, Any] | None) -> bool:
        if status is None:
            self.missing = "the recorded world does not answer"
            return False
        if not status["finished"]:
            self.missing = f"the recorded world is at {status['position_at']} and not at its end"
            return False
        pending = read_report(self.run_manage("desk_report", "--json", "--pending")[1])
        self.missing = f"not settled in time: {json.dumps(pending)}" if pending.get("pending") != 0 else ""
        return not self.missing

    def _is_out_of_time(self, status: dict[str, Any] | None) -> bool:
        if self._deadline_s is None and status is not None:
            left_s = (datetime.fromisoformat(status["ends_at"]) - now()).total_seconds()
            self._deadline_s = monotonic_s() + max(left_s, 0.0) + GRACE_S
        deadline_s = self._deadline_s if self._deadline_s is not None else self.started_s + GRACE_S
        return monotonic_s() > deadline_s


def read_report(output: str) -> dict[str, Any]:
    """Return the JSON object on the last line of a command's output, or nothing when there is none."""
    lines = output.strip().splitlines()
    try:
        document = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
