"""The mapping between recorded time and the time on the wire.

    wire = anchor_wire + (recorded - anchor_recorded) / speed

Recorded moments are integer milliseconds; wire moments are floored to milliseconds, so that an event that has
happened never carries a time of the future. All pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor

CRASH_GAP_S = 30.0  # a state file younger than this is a restart after a crash: nothing shifts


@dataclass(frozen=True, slots=True)
class Timeline:
    """A straight line through one anchor: `speed` recorded seconds pass in one real second."""

    anchor_wire_s: float
    anchor_recorded_ms: int
    speed: float

    def wire_ms(self, recorded_ms: float) -> int:
        """Tell at which wire moment (epoch milliseconds) a recorded moment appears."""
        return floor(self.anchor_wire_s * 1000 + (recorded_ms - self.anchor_recorded_ms) / self.speed)

    def wire_s(self, recorded_ms: float) -> int:
        """Tell the same in whole epoch seconds, for vendors that know no smaller unit."""
        return self.wire_ms(recorded_ms) // 1000

    def recorded_ms(self, wire_s: float) -> int:
        """Tell which recorded moment (epoch milliseconds) is playing at `wire_s`."""
        return floor(self.anchor_recorded_ms + (wire_s - self.anchor_wire_s) * 1000 * self.speed)

    def moved_to(self, wire_s: float, recorded_ms: int) -> Timeline:
        """Return the same line, moved so that `recorded_ms` plays at `wire_s`."""
        elapsed_s = (recorded_ms - self.anchor_recorded_ms) / 1000
        return Timeline(wire_s - elapsed_s / self.speed, self.anchor_recorded_ms, self.speed)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the world stood when it was last seen: its anchor, the recorded position, its speed and the real time."""

    anchor_real_s: float
    position_ms: int
    speed: float
    saved_real_s: float


def is_crash_restart(place: Place, now_s: float) -> bool:
    """Tell whether the gap since `place` was written is that of a crash, not of a stop."""
    return now_s - place.saved_real_s < CRASH_GAP_S


def resumed(place: Place, *, speed: float, now_s: float, anchor_recorded_ms: int) -> Timeline:
    """Continue from `place`.

    After a crash (a gap under 30 s) the anchor is kept and nothing shifts. After a longer stop time stood still:
    the anchor moves by the pause. With another speed the position is kept and the line turns around it.
    """
    if speed == place.speed:
        shift_s = 0.0 if is_crash_restart(place, now_s) else now_s - place.saved_real_s
        return Timeline(place.anchor_real_s + shift_s, anchor_recorded_ms, speed)
    elapsed_s = (place.position_ms - anchor_recorded_ms) / 1000
    return Timeline(now_s - elapsed_s / speed, anchor_recorded_ms, speed)


def as_iso(epoch_ms: int) -> str:
    """Write an epoch moment as vendors do: `2026-06-08T00:00:16Z`, with a fraction only where there is one."""
    moment = datetime.fromtimestamp(epoch_ms / 1000, tz=UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{epoch_ms % 1000:03d}Z" if epoch_ms % 1000 else f"{text}Z"


def as_postgres(epoch_ms: int) -> str:
    """Write an epoch moment as PostgreSQL prints it, which is how Gamma writes `closedTime`."""
    return as_iso(epoch_ms).replace("T", " ").replace("Z", "+00")
