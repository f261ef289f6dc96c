"""The world at this moment: the recording, the tape, the timeline, and what has happened by now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from apps.sources.world.fault_plan import Program
from apps.sources.world.recording import RecordedMarket, Recording
from apps.sources.world.tape import Tape
from apps.sources.world.timeline import Place, Timeline


@dataclass(slots=True)
class World:
    """Everything a vendor's window needs to answer; `now_s` is the real clock in epoch seconds."""

    recording: Recording
    tape: Tape
    timeline: Timeline
    now_s: Callable[[], float]
    waits_at_ms: int | None = None
    requests: Counter[str] = field(default_factory=Counter)
    program: Program = field(default_factory=Program)
    struck: Counter[str] = field(default_factory=Counter)

    def at_ms(self) -> int:
        """Tell the recorded moment that is playing now; it stands still while the world waits for its first call."""
        now_s = self.now_s()
        if self.waits_at_ms is not None:
            self.timeline = self.timeline.moved_to(now_s, self.waits_at_ms)
        return self.timeline.recorded_ms(now_s)

    def wait(self) -> None:
        """Let time stand still until `begin`."""
        self.waits_at_ms = self.at_ms()

    def begin(self) -> None:
        """Let time run, from where it stands."""
        self.at_ms()
        self.waits_at_ms = None

    def listed(self, at_ms: int) -> list[RecordedMarket]:
        """Return the markets that the vendor has listed by `at_ms`, earliest first."""
        return [market for market in self.recording.markets if market.phase(at_ms) != "unlisted"]

    def is_finished(self, at_ms: int) -> bool:
        """Tell whether the last recorded market is resolved."""
        return at_ms >= self.recording.finished_ms

    def place(self) -> Place:
        """Return where the world stands, to be kept on disk."""
        position_ms = self.at_ms()
        return Place(
            anchor_real_s=self.timeline.anchor_wire_s,
            position_ms=position_ms,
            speed=self.timeline.speed,
            saved_real_s=self.now_s(),
        )
