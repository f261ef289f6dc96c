"""When a forecast is worth making again (the prediction cache).

Due when the last one is older than its time to live, when the price has moved by a fraction, or when the market closes
within a day; but never twice on the same inputs, because the answer would be the same. In a world played faster all
ages shrink by its speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

CLOSING_SOON = timedelta(hours=24)

Reason = Literal["forced", "first", "aged", "moved", "closing"]


@dataclass(frozen=True, slots=True)
class Rule:
    """The desk's settings: time to live in minutes, the fraction that counts as a move, the speed of the world."""

    ttl_minutes: float
    move_fraction: float
    speed: float

    @property
    def time_to_live(self) -> timedelta:
        """How long a forecast serves in this world."""
        return timedelta(minutes=self.ttl_minutes) / self.speed

    @property
    def closing_soon(self) -> timedelta:
        """How near a close is near in this world."""
        return CLOSING_SOON / self.speed


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a forecast was or would be made from: a key that changes with the inputs, the price, and the moment."""

    key: str
    price: float | None
    at: datetime


def due(last: Inputs | None, present: Inputs, *, closes_at: datetime, rule: Rule, force: bool = False) -> Reason | None:
    """Return why a forecast is due, or None. A market past its scheduled close is never due, not even by force."""
    if present.at >= closes_at:
        return None
    if force:
        return "forced"
    if last is None:
        return "first"
    if last.key == present.key:
        return None
    return _changed(last, present, closes_at, rule)


def _changed(last: Inputs, present: Inputs, closes_at: datetime, rule: Rule) -> Reason | None:
    if closes_at - present.at <= rule.closing_soon:
        return "closing"
    if present.at - last.at >= rule.time_to_live:
        return "aged"
    return "moved" if has_moved(last.price, present.price, rule.move_fraction) else None


def has_moved(before: float | None, after: float | None, fraction: float) -> bool:
    """Return whether the price differs by `fraction` of what it was; appearing or vanishing is a move."""
    if before is None or after is None:
        return before is not after
    return abs(after - before) >= fraction * abs(before)
